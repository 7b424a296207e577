//! The questions.
use std::collections::HashMap;
use std::time::Duration;

use database::Database;
use events::{ConversationId, MessageId, PersonId, RunId, Sequence, TurnId};

use crate::{ConversationRow, MessageRow, Page, PageOf, Result, RunRow, TurnRow};

/// The tables, asked. Cheap to clone.
///
/// What a person may not see does not exist: another tenant's, or a conversation in which they take no part.
#[derive(Clone, Debug)]
pub struct ReadModel {
    database: Database,
}

impl ReadModel {
    /// Over the tables of this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// One conversation.
    pub async fn conversation(&self, tenant: &str, person: PersonId, id: ConversationId) -> Result<Option<ConversationRow>> {
        todo!()
    }
    /// Several conversations by id; those that the person may not see are missing.
    pub async fn conversations_by_id(&self, tenant: &str, person: PersonId, ids: &[ConversationId]) -> Result<HashMap<ConversationId, ConversationRow>> {
        todo!()
    }
    /// A person's conversations, oldest first.
    pub async fn conversations(&self, tenant: &str, person: PersonId, page: &Page) -> Result<PageOf<ConversationRow>> {
        todo!()
    }
    /// One message.
    pub async fn message(&self, tenant: &str, person: PersonId, id: MessageId) -> Result<Option<MessageRow>> {
        todo!()
    }
    /// Several messages by id.
    pub async fn messages_by_id(&self, tenant: &str, person: PersonId, ids: &[MessageId]) -> Result<HashMap<MessageId, MessageRow>> {
        todo!()
    }
    /// A conversation's messages, oldest first. The caller has seen that the person may read the conversation.
    pub async fn messages(&self, conversation: ConversationId, page: &Page) -> Result<PageOf<MessageRow>> {
        todo!()
    }
    /// One turn.
    pub async fn turn(&self, tenant: &str, person: PersonId, id: TurnId) -> Result<Option<TurnRow>> {
        todo!()
    }
    /// A conversation's turns, oldest first. The caller has seen that the person may read the conversation.
    pub async fn turns(&self, conversation: ConversationId, page: &Page) -> Result<PageOf<TurnRow>> {
        todo!()
    }
    /// The runs of each of these turns, in the order of their plan.
    pub async fn runs_of_turns(&self, turns: &[TurnId]) -> Result<HashMap<TurnId, Vec<RunRow>>> {
        todo!()
    }
    /// One run.
    pub async fn run(&self, tenant: &str, person: PersonId, id: RunId) -> Result<Option<RunRow>> {
        todo!()
    }
    /// Several runs by id.
    pub async fn runs_by_id(&self, tenant: &str, person: PersonId, ids: &[RunId]) -> Result<HashMap<RunId, RunRow>> {
        todo!()
    }
    /// Where a message stands, whoever asks.
    pub async fn conversation_of_message(&self, id: MessageId) -> Result<Option<ConversationId>> {
        todo!()
    }
    /// Waits until the rows hold this event, `limit` at most; whether they do.
    pub async fn wait_for(&self, id: ConversationId, sequence: Sequence, limit: Duration) -> Result<bool> {
        todo!()
    }
}
