//! What subscribers are shown.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use events::event::{PlanKind, PlannedRun};
use events::{CallId, ChunkKind, ConversationId, Cursor, FinishReason, MessageId, RunId, TurnId, Usage};

/// One thing that happened in a conversation, as its participants see it.
#[derive(Clone, Debug)]
pub struct Update {
    /// The conversation.
    pub conversation: ConversationId,
    /// Just after this update: what follows is the same whenever it is asked for.
    pub cursor: Cursor,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub change: Change,
}

/// What happened. Persons are under their names; erased texts are empty.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the contract's schema describes every field")]
pub enum Change {
    ConversationStarted { title: Option<Arc<str>> },
    ConversationRenamed { title: Arc<str> },
    ConversationArchived,
    ParticipantAdded { person: String, by: String },
    ParticipantRemoved { person: String, by: String },
    TurnStarted { turn: TurnId },
    TurnPlanned { turn: TurnId, kind: PlanKind, runs: Vec<PlannedRun>, more: bool, reason: Arc<str> },
    TurnCompleted { turn: TurnId },
    TurnFailed { turn: TurnId, reason: Arc<str> },
    TurnStopped { turn: TurnId, by: String },
    AgentStarted { run: RunId, agent: String, model: String, epoch: u32, message: MessageId },
    Message(MessageId, MessageChange),
    ToolCall(CallId, ToolCallChange),
}

/// What happened to a message.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the contract's schema describes every field")]
pub enum MessageChange {
    Sent { author: String, text: Arc<str> },
    Produced { run: RunId, epoch: u32, index: u32, kind: ChunkKind, delta: Arc<str> },
    Completed { text: Arc<str>, finish_reason: FinishReason, usage: Option<Usage> },
    Failed { text: Arc<str>, reason: Arc<str> },
    Stopped { text: Arc<str>, usage: Option<Usage> },
}

/// What happened to a tool call.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the contract's schema describes every field")]
pub enum ToolCallChange {
    Requested { run: RunId, tool: String, arguments: Arc<str>, needs_approval: bool },
    Approved { by: String, edited: Option<Arc<str>> },
    Rejected { by: String, reason: Option<Arc<str>> },
    Started { epoch: u32 },
    Completed { result: Arc<str> },
    Failed { error: Arc<str> },
    Uncertain,
}
