use chrono::{DateTime, Utc};
use events::{ConversationId, FinishReason, MessageId, PersonId, RunId, Sealed, Sequence, TurnId, Usage};
use sqlx::types::Json;
use uuid::Uuid;

use crate::rows::{Author, ConversationRow, MessageRow, MessageStatus, Role, RunRow, RunStatus, TurnRow};
use crate::{Error, Result};

/// The columns, in the order in which rows are written.
pub(crate) const CONVERSATION: &str = "conversation, tenant, title, metadata, starter, agents, created_at, updated_at, \
                                       archived_at, sequence";
pub(crate) const MESSAGE: &str = "message, conversation, sequence, position, role, person, agent, text, status, \
                                  message_type, metadata, run, epoch, started, created_at, completed_at, finish_reason, \
                                  reason, usage";
pub(crate) const TURN: &str = "turn, conversation, sequence, message, person, status, reason, started_at, ended_at";
pub(crate) const RUN: &str = "run, conversation, turn, position, message, agent, model, epoch, status, error, usage, \
                              started_at, ended_at";

#[derive(sqlx::FromRow)]
pub(crate) struct StoredConversation {
    conversation: Uuid,
    tenant: String,
    title: Option<Json<Sealed>>,
    metadata: Option<Json<Sealed>>,
    starter: Uuid,
    agents: Json<Vec<String>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    sequence: i64,
}

#[derive(sqlx::FromRow)]
pub(crate) struct StoredMessage {
    message: Uuid,
    conversation: Uuid,
    sequence: i64,
    position: i32,
    role: String,
    person: Option<Uuid>,
    agent: Option<String>,
    text: Option<Json<Sealed>>,
    status: String,
    message_type: Option<Json<Sealed>>,
    metadata: Option<Json<Sealed>>,
    run: Option<Uuid>,
    epoch: i64,
    started: i64,
    created_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    finish_reason: Option<String>,
    reason: Option<Json<Sealed>>,
    usage: Option<Json<Usage>>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct StoredTurn {
    turn: Uuid,
    conversation: Uuid,
    sequence: i64,
    message: Option<Uuid>,
    person: Uuid,
    status: String,
    reason: Option<Json<Sealed>>,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct StoredRun {
    run: Uuid,
    conversation: Uuid,
    turn: Uuid,
    position: i32,
    message: Uuid,
    agent: String,
    model: Option<String>,
    epoch: i64,
    status: String,
    error: Option<Json<Sealed>>,
    usage: Option<Json<Usage>>,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl StoredConversation {
    pub(crate) fn id(&self) -> ConversationId {
        ConversationId::from_uuid(self.conversation)
    }

    pub(crate) fn row(self, participants: Vec<PersonId>) -> Result<ConversationRow> {
        Ok(ConversationRow {
            id: self.id(),
            tenant: self.tenant,
            title: open(self.title),
            metadata: open(self.metadata),
            starter: PersonId::from_uuid(self.starter),
            participants,
            agents: self.agents.0,
            created_at: self.created_at,
            updated_at: self.updated_at,
            archived_at: self.archived_at,
            sequence: number(self.sequence, "conversations", "sequence")?,
        })
    }
}

impl TryFrom<StoredMessage> for MessageRow {
    type Error = Error;

    fn try_from(stored: StoredMessage) -> Result<Self> {
        const TABLE: &str = "messages";
        let author = match (stored.person, stored.agent) {
            (Some(person), None) => Author::Person(PersonId::from_uuid(person)),
            (None, Some(agent)) => Author::Agent(agent),
            _ => return Err(damaged(TABLE, "author")),
        };
        Ok(Self {
            id: MessageId::from_uuid(stored.message),
            conversation: ConversationId::from_uuid(stored.conversation),
            sequence: number(stored.sequence, TABLE, "sequence")?,
            position: number(stored.position, TABLE, "position")?,
            role: Role::of_word(&stored.role).ok_or_else(|| damaged(TABLE, "role"))?,
            author,
            text: open(stored.text),
            status: MessageStatus::of_word(&stored.status).ok_or_else(|| damaged(TABLE, "status"))?,
            message_type: open(stored.message_type),
            metadata: open(stored.metadata),
            run: stored.run.map(RunId::from_uuid),
            epoch: number(stored.epoch, TABLE, "epoch")?,
            started: number(stored.started, TABLE, "started")?,
            created_at: stored.created_at,
            completed_at: stored.completed_at,
            finish_reason: finish_reason(stored.finish_reason.as_deref())?,
            reason: open(stored.reason),
            usage: open(stored.usage),
        })
    }
}

impl TryFrom<StoredTurn> for TurnRow {
    type Error = Error;

    fn try_from(stored: StoredTurn) -> Result<Self> {
        const TABLE: &str = "turns";
        Ok(Self {
            id: TurnId::from_uuid(stored.turn),
            conversation: ConversationId::from_uuid(stored.conversation),
            sequence: number(stored.sequence, TABLE, "sequence")?,
            message: stored.message.map(MessageId::from_uuid),
            person: PersonId::from_uuid(stored.person),
            status: RunStatus::of_word(&stored.status).ok_or_else(|| damaged(TABLE, "status"))?,
            reason: open(stored.reason),
            started_at: stored.started_at,
            ended_at: stored.ended_at,
        })
    }
}

impl TryFrom<StoredRun> for RunRow {
    type Error = Error;

    fn try_from(stored: StoredRun) -> Result<Self> {
        const TABLE: &str = "runs";
        Ok(Self {
            id: RunId::from_uuid(stored.run),
            conversation: ConversationId::from_uuid(stored.conversation),
            turn: TurnId::from_uuid(stored.turn),
            position: number(stored.position, TABLE, "position")?,
            message: MessageId::from_uuid(stored.message),
            agent: stored.agent,
            model: stored.model,
            epoch: number(stored.epoch, TABLE, "epoch")?,
            status: RunStatus::of_word(&stored.status).ok_or_else(|| damaged(TABLE, "status"))?,
            error: open(stored.error),
            usage: open(stored.usage),
            started_at: stored.started_at,
            ended_at: stored.ended_at,
        })
    }
}

macro_rules! words {
    ($($kind:ident { $($variant:ident $word:literal),* })*) => {$(
        impl $kind {
            /// The word that the tables hold for it.
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            fn of_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    )*};
}

words! {
    Role { User "user", Assistant "assistant" }
    MessageStatus { Streaming "streaming", Completed "completed", Failed "failed" }
    RunStatus { Running "running", Completed "completed", Failed "failed" }
}

pub(crate) fn finish_word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
    }
}

fn finish_reason(word: Option<&str>) -> Result<Option<FinishReason>> {
    use FinishReason::{ContentFilter, Length, Stop, ToolCalls};
    let Some(word) = word else { return Ok(None) };
    let known = [Stop, Length, ToolCalls, ContentFilter].into_iter().find(|reason| finish_word(*reason) == word);
    known.map(Some).ok_or_else(|| damaged("messages", "finish_reason"))
}

fn open<T>(json: Option<Json<T>>) -> Option<T> {
    json.map(|json| json.0)
}

fn number<F, T: TryFrom<F>>(stored: F, table: &'static str, column: &'static str) -> Result<T> {
    T::try_from(stored).map_err(|_| damaged(table, column))
}

/// How sequences stand in a column.
pub(crate) fn signed(sequence: Sequence) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

/// How places in a plan stand in a column; no plan has more steps than a record has room for.
pub(crate) fn position(position: u32) -> i32 {
    i32::try_from(position).unwrap_or(i32::MAX)
}

fn damaged(table: &'static str, column: &'static str) -> Error {
    Error::Damaged { table, column }
}
