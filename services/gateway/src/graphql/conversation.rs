//! A conversation, as a query found it or as a mutation left it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use commands::Outcome;
use events::Sequence;
use events::event::Spent;
use projections::{ConversationRow, Page};

use super::agent::Agent;
use super::connection::{Listed, connection, cost};
use super::enums::{OverlapPolicy, ToolApproval};
use super::message::{Message, Shown};
use super::scalars::{Cursor, Time, int};
use super::spent::{Cost, Usage};
use super::texts::{Names, open};
use super::turn::{Runs, Turn};
use super::{Answer, caller, id, services, settle};
use crate::Error;

/// A conversation with people and agents in it.
#[derive(Clone)]
pub(crate) struct Conversation {
    row: Arc<ConversationRow>,
    /// The event that lists below it must have seen; 0 where the read model was asked anyway.
    settled: Sequence,
}

impl From<ConversationRow> for Conversation {
    fn from(row: ConversationRow) -> Self {
        Self { row: Arc::new(row), settled: 0 }
    }
}

impl Conversation {
    /// As a command left it, from what the command read and decided.
    pub(super) fn decided(outcome: &Outcome) -> Self {
        let loaded = &outcome.loaded;
        let row = ConversationRow {
            id: loaded.id,
            tenant: loaded.tenant.clone(),
            title: loaded.state.title.clone(),
            metadata: None,
            starter: loaded.state.starter,
            participants: loaded.state.participants.clone(),
            agents: loaded.state.agents.clone(),
            overlap: loaded.state.overlap,
            approval: loaded.state.approval,
            created_at: loaded.started_at,
            updated_at: loaded.updated_at,
            archived_at: loaded.archived_at,
            sequence: loaded.sequence,
            spent: Spent::default(),
        };
        Self { row: Arc::new(row), settled: loaded.sequence }
    }

    pub(super) fn row(&self) -> &ConversationRow {
        &self.row
    }

    /// What a command does not know of a payload's conversation is asked of the read model, which knows who may see it by then;
    /// `None` where it came from there.
    async fn settled(&self, context: &Context<'_>) -> Answer<Option<ConversationRow>> {
        let (services, caller) = (services(context)?, caller(context)?);
        if self.settled == 0 {
            return Ok(None);
        }
        settle(services, self.row.id, self.settled).await?;
        match services.read_model.conversation(&caller.tenant, caller.person, self.row.id).await? {
            Some(row) => Ok(Some(row)),
            None => Err(Error::NotFound("conversation").into()),
        }
    }

    async fn spent(&self, context: &Context<'_>) -> Answer<Spent> {
        Ok(self.settled(context).await?.map_or_else(|| self.row.spent.clone(), |row| row.spent))
    }
}

/// A conversation with people and agents in it: one stream of events, visible to its participants.
#[Object]
impl Conversation {
    /// `conv_…`.
    pub(crate) async fn id(&self) -> ID {
        id(self.row.id)
    }

    /// Its title, where it has one.
    async fn title(&self, context: &Context<'_>) -> Answer<Option<String>> {
        let Some(sealed) = &self.row.title else { return Ok(None) };
        open(services(context)?, sealed, &self.row.tenant, self.row.id, self.row.id, "title").await
    }

    /// When it began.
    async fn created_at(&self) -> Time {
        self.row.created_at.into()
    }

    /// When anything happened in it last.
    async fn updated_at(&self) -> Time {
        self.row.updated_at.into()
    }

    /// Since when it takes no more messages.
    async fn archived_at(&self) -> Option<Time> {
        self.row.archived_at.map(Time)
    }

    /// Number of the last event in the stream, from 1, contiguous.
    async fn sequence(&self) -> i32 {
        int(self.row.sequence)
    }

    /// The place just after that event.
    async fn cursor(&self) -> Cursor {
        Cursor::at(self.row.sequence)
    }

    /// Ids of the persons who take part, the starter first.
    async fn participants(&self, context: &Context<'_>) -> Answer<Vec<String>> {
        let names = Names::of(services(context)?, &self.row.participants).await?;
        Ok(self.row.participants.iter().map(|person| names.name(*person)).collect())
    }

    /// The agents that answer its messages.
    async fn agents(&self, context: &Context<'_>) -> Answer<Vec<Agent>> {
        let catalog = services(context)?.commands.catalog();
        Ok(self.row.agents.iter().map(|name| Agent::named(catalog, name)).collect())
    }

    /// What becomes of a message that is sent while a turn runs or waits.
    async fn overlap_policy(&self) -> OverlapPolicy {
        self.row.overlap.into()
    }

    /// The least that every tool needs here; settings and agents may ask for more.
    async fn tool_approval(&self) -> ToolApproval {
        self.row.approval.into()
    }

    /// Tokens of all model calls so far, also of those that failed.
    async fn usage(&self, context: &Context<'_>) -> Answer<Usage> {
        Ok(Usage::sum(&self.spent(context).await?))
    }

    /// What all model calls cost so far.
    async fn cost(&self, context: &Context<'_>) -> Answer<Cost> {
        Ok(Cost::sum(&self.spent(context).await?, &services(context)?.currency))
    }

    /// Oldest first; 100 at most a page, 50 where nothing is said.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn messages(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Answer<Listed<Message>> {
        self.settled(context).await?;
        let page = Page { first, after, last, before };
        let rows = services(context)?.read_model.messages(self.row.id, &page).await?;
        let mut show = Shown::of(context, rows.rows.iter().map(|(_, row)| row), Some(self)).await?;
        Ok(connection(rows, |row| show.message(row)))
    }

    /// Oldest first; 100 at most a page, 50 where nothing is said.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn turns(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Answer<Listed<Turn>> {
        self.settled(context).await?;
        let page = Page { first, after, last, before };
        let rows = services(context)?.read_model.turns(self.row.id, &page).await?;
        let turns: Vec<_> = rows.rows.iter().map(|(_, row)| row.id).collect();
        let mut runs = Runs::of(context, &turns).await?;
        Ok(connection(rows, |row| runs.turn(row)))
    }
}
