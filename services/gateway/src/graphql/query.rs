//! The questions.

use async_graphql::{Context, ID, Object};
use events::{CallId, ConversationId};
use projections::{Page, PageOf};

use super::agent::{Agent, Viewer};
use super::approval::whose;
use super::connection::{Listed, connection, cost};
use super::conversation::Conversation;
use super::message::Message;
use super::node::{Node, nodes};
use super::run::AgentRun;
use super::scalars::Cursor;
use super::tool_call::ToolCall;
use super::turn::Turn;
use super::{Answer, caller, services, settle};
use crate::Error;

/// The query root.
pub(crate) struct Query;

/// Everything that can be asked. What the caller may not see does not exist: it is null.
#[Object]
impl Query {
    /// Anything by its id; null where it does not exist, or not for you.
    async fn node(&self, context: &Context<'_>, id: ID) -> Answer<Option<Node>> {
        caller(context)?;
        Ok(nodes(context, &[id]).await?.pop().flatten())
    }

    /// Several things by their ids, in that order, 100 at most.
    #[graphql(complexity = "1 + ids.len() * child_complexity")]
    async fn nodes(&self, context: &Context<'_>, ids: Vec<ID>) -> Answer<Vec<Option<Node>>> {
        caller(context)?;
        nodes(context, &ids).await
    }

    /// Who you are.
    async fn viewer(&self, context: &Context<'_>) -> Answer<Viewer> {
        Ok(caller(context)?.into())
    }

    /// One conversation. `atLeast` waits until the read model has reached that cursor, so that you read your own writes (a
    /// chunk's cursor counts as the event before it), for 5 s at most; then TIMEOUT.
    async fn conversation(
        &self,
        context: &Context<'_>,
        id: ID,
        at_least: Option<Cursor>,
    ) -> Answer<Option<Conversation>> {
        let (services, caller) = (services(context)?, caller(context)?);
        let Ok(id) = id.parse::<ConversationId>() else { return Ok(None) };
        if let Some(Cursor(cursor)) = at_least {
            // Whoever may not see it must not learn either how far it has come.
            let loaded = services.commands.load(id).await?;
            let loaded =
                loaded.filter(|loaded| loaded.tenant == caller.tenant && loaded.state.has_participant(caller.person));
            let Some(loaded) = loaded else { return Ok(None) };
            if cursor.sequence > loaded.sequence {
                return Err(Error::Invalid("this cursor is beyond the conversation's end".into()).into());
            }
            settle(services, id, cursor.sequence).await?;
        }
        let row = services.read_model.conversation(&caller.tenant, caller.person, id).await?;
        Ok(row.map(Conversation::from))
    }

    /// The conversations that you take part in, oldest first; 100 at most a page, 50 where nothing is said.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn conversations(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Answer<Listed<Conversation>> {
        let (services, caller) = (services(context)?, caller(context)?);
        let page = Page { first, after, last, before };
        let rows = services.read_model.conversations(&caller.tenant, caller.person, &page).await?;
        Ok(connection(rows, Conversation::from))
    }

    /// One message.
    async fn message(&self, context: &Context<'_>, id: ID) -> Answer<Option<Message>> {
        let (services, caller) = (services(context)?, caller(context)?);
        let Ok(id) = id.parse() else { return Ok(None) };
        match services.read_model.message(&caller.tenant, caller.person, id).await? {
            Some(row) => Message::found(context, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// One agent's run.
    async fn run(&self, context: &Context<'_>, id: ID) -> Answer<Option<AgentRun>> {
        let (services, caller) = (services(context)?, caller(context)?);
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(services.read_model.run(&caller.tenant, caller.person, id).await?.map(AgentRun::from))
    }

    /// One turn.
    async fn turn(&self, context: &Context<'_>, id: ID) -> Answer<Option<Turn>> {
        let (services, caller) = (services(context)?, caller(context)?);
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(services.read_model.turn(&caller.tenant, caller.person, id).await?.map(Turn::from))
    }

    /// One tool call.
    async fn tool_call(&self, context: &Context<'_>, id: ID) -> Answer<Option<ToolCall>> {
        let (services, caller) = (services(context)?, caller(context)?);
        let Ok(id) = id.parse::<CallId>() else { return Ok(None) };
        Ok(services.read_model.tool_call(&caller.tenant, caller.person, id).await?.map(ToolCall::from))
    }

    /// Tool calls that wait for a decision of the viewer, oldest first; 100 at most a page, 50 where nothing is said.
    #[graphql(complexity = "cost(first, None, child_complexity)")]
    async fn pending_approvals(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Answer<Listed<ToolCall>> {
        let (services, caller) = (services(context)?, caller(context)?);
        let page = Page { first, after, ..Page::default() };
        let rows = match whose(services.commands.catalog().approvers, caller) {
            Some(whose) => services.read_model.pending_approvals(&caller.tenant, caller.person, whose, &page).await?,
            None => PageOf { rows: Vec::new(), has_next: false, has_previous: false, total: 0 },
        };
        Ok(connection(rows, ToolCall::from))
    }

    /// The agents that can be asked.
    async fn agents(&self, context: &Context<'_>) -> Answer<Vec<Agent>> {
        caller(context)?;
        Ok(Agent::all(services(context)?.commands.catalog()))
    }
}
