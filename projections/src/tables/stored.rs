use chrono::{DateTime, Utc};
use events::event::Spent;
use events::{CallId, ConversationId, MessageId, PersonId, RunId, Sealed, Sequence, TurnId};
use sqlx::types::Json;
use uuid::Uuid;

use super::words::{approval_of, finish_reason_of, overlap_of, plan_kind_of};
use crate::rows::{
    Author, ConversationRow, MessageRow, MessageStatus, Role, RunRow, RunStatus, ToolCallRow, ToolCallStatus, TurnRow,
};
use crate::{Error, Result};

/// The columns, in the order in which rows are written.
pub(crate) const CONVERSATION: &str = "conversation, tenant, title, metadata, starter, agents, overlap, approval, \
                                       created_at, updated_at, archived_at, sequence, spent";
pub(crate) const MESSAGE: &str = "message, conversation, sequence, position, role, person, agent, text, status, \
                                  message_type, metadata, run, epoch, started, created_at, completed_at, finish_reason, \
                                  reason, spent, regenerates";
pub(crate) const TURN: &str = "turn, conversation, sequence, message, person, status, reason, started_at, ended_at, \
                               plan_kind, plan_reason, more, answer, regenerates, rolled_back, spent";
pub(crate) const RUN: &str = "run, conversation, turn, position, message, agent, model, epoch, status, error, spent, \
                              waits_for, asked_by, started_at, ended_at";
pub(crate) const TOOL_CALL: &str = "call, conversation, turn, run, sequence, tool, arguments, edited, status, epoch, \
                                    decided_by, reason, result, error, cached, requested_at, expires_at, ended_at";

#[derive(sqlx::FromRow)]
pub(crate) struct StoredConversation {
    conversation: Uuid,
    tenant: String,
    title: Option<Json<Sealed>>,
    metadata: Option<Json<Sealed>>,
    starter: Uuid,
    agents: Json<Vec<String>>,
    overlap: String,
    approval: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    sequence: i64,
    spent: Json<Spent>,
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
    spent: Json<Spent>,
    regenerates: Option<Uuid>,
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
    plan_kind: Option<String>,
    plan_reason: Option<Json<Sealed>>,
    more: bool,
    answer: Option<Uuid>,
    regenerates: Option<Uuid>,
    rolled_back: bool,
    spent: Json<Spent>,
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
    spent: Json<Spent>,
    waits_for: Json<Vec<RunId>>,
    asked_by: Option<Uuid>,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct StoredToolCall {
    call: Uuid,
    conversation: Uuid,
    turn: Uuid,
    run: Uuid,
    sequence: i64,
    tool: String,
    arguments: Json<Sealed>,
    edited: Option<Json<Sealed>>,
    status: String,
    epoch: i64,
    decided_by: Option<Uuid>,
    reason: Option<Json<Sealed>>,
    result: Option<Json<Sealed>>,
    error: Option<Json<Sealed>>,
    cached: bool,
    requested_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

impl StoredConversation {
    pub(crate) fn id(&self) -> ConversationId {
        ConversationId::from_uuid(self.conversation)
    }

    pub(crate) fn row(self, participants: Vec<PersonId>) -> Result<ConversationRow> {
        const TABLE: &str = "conversations";
        Ok(ConversationRow {
            id: self.id(),
            tenant: self.tenant,
            title: open(self.title),
            metadata: open(self.metadata),
            starter: PersonId::from_uuid(self.starter),
            participants,
            agents: self.agents.0,
            overlap: overlap_of(&self.overlap).ok_or_else(|| damaged(TABLE, "overlap"))?,
            approval: approval_of(&self.approval).ok_or_else(|| damaged(TABLE, "approval"))?,
            created_at: self.created_at,
            updated_at: self.updated_at,
            archived_at: self.archived_at,
            sequence: number(self.sequence, TABLE, "sequence")?,
            spent: self.spent.0,
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
            finish_reason: known(stored.finish_reason, finish_reason_of, TABLE, "finish_reason")?,
            reason: open(stored.reason),
            spent: stored.spent.0,
            regenerates: stored.regenerates.map(MessageId::from_uuid),
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
            plan_kind: known(stored.plan_kind, plan_kind_of, TABLE, "plan_kind")?,
            plan_reason: open(stored.plan_reason),
            more: stored.more,
            answer: stored.answer.map(MessageId::from_uuid),
            regenerates: stored.regenerates.map(MessageId::from_uuid),
            rolled_back: stored.rolled_back,
            spent: stored.spent.0,
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
            spent: stored.spent.0,
            waits_for: stored.waits_for.0,
            asked_by: stored.asked_by.map(CallId::from_uuid),
            started_at: stored.started_at,
            ended_at: stored.ended_at,
        })
    }
}

impl TryFrom<StoredToolCall> for ToolCallRow {
    type Error = Error;

    fn try_from(stored: StoredToolCall) -> Result<Self> {
        const TABLE: &str = "tool_calls";
        Ok(Self {
            id: CallId::from_uuid(stored.call),
            conversation: ConversationId::from_uuid(stored.conversation),
            turn: TurnId::from_uuid(stored.turn),
            run: RunId::from_uuid(stored.run),
            sequence: number(stored.sequence, TABLE, "sequence")?,
            tool: stored.tool,
            arguments: stored.arguments.0,
            edited: open(stored.edited),
            status: ToolCallStatus::of_word(&stored.status).ok_or_else(|| damaged(TABLE, "status"))?,
            epoch: number(stored.epoch, TABLE, "epoch")?,
            decided_by: stored.decided_by.map(PersonId::from_uuid),
            reason: open(stored.reason),
            result: open(stored.result),
            error: open(stored.error),
            cached: stored.cached,
            requested_at: stored.requested_at,
            expires_at: stored.expires_at,
            ended_at: stored.ended_at,
        })
    }
}

/// A word that a column may lack.
fn known<T>(
    word: Option<String>,
    of_word: fn(&str) -> Option<T>,
    table: &'static str,
    column: &'static str,
) -> Result<Option<T>> {
    word.map(|word| of_word(&word).ok_or_else(|| damaged(table, column))).transpose()
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
