//! Relay's global ids: a TypeID's prefix says what to look up.

use std::collections::HashMap;

use async_graphql::{Context, ID, Interface};
use events::{CallId, ConversationId, MessageId, RunId, TurnId};

use super::conversation::Conversation;
use super::message::Message;
use super::run::AgentRun;
use super::tool_call::ToolCall;
use super::turn::Turn;
use super::{Answer, caller, services};
use crate::Error;

/// More ids than this are refused.
const MOST: usize = 100;

/// Anything with an id of its own.
#[derive(Interface, Clone)]
#[graphql(field(name = "id", ty = "ID", desc = "A TypeID: a prefix, `_`, 26 characters."))]
pub(super) enum Node {
    /// `conv_…`.
    Conversation(Conversation),
    /// `msg_…`.
    Message(Message),
    /// `turn_…`.
    Turn(Turn),
    /// `run_…`.
    AgentRun(AgentRun),
    /// `call_…`.
    ToolCall(ToolCall),
}

/// What these ids name, in their order; `None` for what does not exist, or not for the caller.
pub(super) async fn nodes(context: &Context<'_>, ids: &[ID]) -> Answer<Vec<Option<Node>>> {
    if ids.len() > MOST {
        return Err(Error::Invalid("ask for 100 nodes at most".into()).into());
    }
    let mut found = HashMap::new();
    conversations(context, &of_kind::<ConversationId>(ids), &mut found).await?;
    messages(context, &of_kind::<MessageId>(ids), &mut found).await?;
    runs(context, &of_kind::<RunId>(ids), &mut found).await?;
    turns(context, &of_kind::<TurnId>(ids), &mut found).await?;
    tool_calls(context, &of_kind::<CallId>(ids), &mut found).await?;
    Ok(ids.iter().map(|id| found.get(id.as_str()).cloned()).collect())
}

fn of_kind<K: std::str::FromStr>(ids: &[ID]) -> Vec<K> {
    ids.iter().filter_map(|id| id.parse().ok()).collect()
}

type Found = HashMap<String, Node>;

async fn conversations(context: &Context<'_>, ids: &[ConversationId], found: &mut Found) -> Answer<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let (services, caller) = (services(context)?, caller(context)?);
    let rows = services.read_model.conversations_by_id(&caller.tenant, caller.person, ids).await?;
    found.extend(rows.into_iter().map(|(id, row)| (id.to_string(), Node::Conversation(row.into()))));
    Ok(())
}

async fn messages(context: &Context<'_>, ids: &[MessageId], found: &mut Found) -> Answer<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let (services, caller) = (services(context)?, caller(context)?);
    let rows = services.read_model.messages_by_id(&caller.tenant, caller.person, ids).await?;
    let messages = Message::found_all(context, rows.into_values().collect()).await?;
    found.extend(messages.into_iter().map(|message| (message.row().id.to_string(), Node::Message(message))));
    Ok(())
}

async fn runs(context: &Context<'_>, ids: &[RunId], found: &mut Found) -> Answer<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let (services, caller) = (services(context)?, caller(context)?);
    let rows = services.read_model.runs_by_id(&caller.tenant, caller.person, ids).await?;
    found.extend(rows.into_iter().map(|(id, row)| (id.to_string(), Node::AgentRun(row.into()))));
    Ok(())
}

async fn tool_calls(context: &Context<'_>, ids: &[CallId], found: &mut Found) -> Answer<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let (services, caller) = (services(context)?, caller(context)?);
    let rows = services.read_model.tool_calls_by_id(&caller.tenant, caller.person, ids).await?;
    found.extend(rows.into_iter().map(|(id, row)| (id.to_string(), Node::ToolCall(row.into()))));
    Ok(())
}

/// One by one: nobody refetches many turns by id.
async fn turns(context: &Context<'_>, ids: &[TurnId], found: &mut Found) -> Answer<()> {
    let (services, caller) = (services(context)?, caller(context)?);
    for id in ids {
        if let Some(row) = services.read_model.turn(&caller.tenant, caller.person, *id).await? {
            found.insert(id.to_string(), Node::Turn(row.into()));
        }
    }
    Ok(())
}
