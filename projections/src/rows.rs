//! What the tables hold, typed. Sealed values stand as their events carried them.

use chrono::{DateTime, Utc};
use events::event::{Approval, OverlapPolicy, PlanKind, Spent};
use events::{CallId, ConversationId, FinishReason, MessageId, PersonId, RunId, Sealed, Sequence, TurnId};

mod made;
mod tool_call;

pub use tool_call::{ToolCallRow, ToolCallStatus};

/// A conversation as it stands after the event `sequence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationRow {
    /// The conversation.
    pub id: ConversationId,
    /// Its tenant.
    pub tenant: String,
    /// Field `title` of the conversation.
    pub title: Option<Sealed>,
    /// Field `metadata` of the conversation.
    pub metadata: Option<Sealed>,
    /// Who began it.
    pub starter: PersonId,
    /// Who takes part, in the order of joining: the starter first.
    pub participants: Vec<PersonId>,
    /// Names of the agents that answer.
    pub agents: Vec<String>,
    /// What becomes of a message that comes while a turn runs.
    pub overlap: OverlapPolicy,
    /// The least that every tool needs here.
    pub approval: Approval,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// Time of its last event.
    pub updated_at: DateTime<Utc>,
    /// Since when it takes no more messages.
    pub archived_at: Option<DateTime<Utc>>,
    /// Its last event.
    pub sequence: Sequence,
    /// What all model calls in it took.
    pub spent: Spent,
}

/// Whose words a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A person's.
    User,
    /// An agent's.
    Assistant,
}

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Author {
    /// A person.
    Person(PersonId),
    /// An agent, by name.
    Agent(String),
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageStatus {
    /// An agent writes it, or will.
    Streaming,
    /// It is whole.
    Completed,
    /// It broke off for good.
    Failed,
    /// A person stopped it.
    Stopped,
}

/// How far a run or a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// A turn whose message waits for turns before it, a run that waits for runs before it.
    Queued,
    /// It goes on, or waits for a worker.
    Running,
    /// It goes on when a person has decided about a tool call.
    Waiting,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// A person stopped it.
    Stopped,
}

impl RunStatus {
    /// Whether it has not ended.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Waiting)
    }
}

/// A message, sent or being written. Its order in the conversation is (`sequence`, `position`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// The message.
    pub id: MessageId,
    /// Where it stands.
    pub conversation: ConversationId,
    /// Sequence of its `MessageSent`, or of the `TurnPlanned` that named it.
    pub sequence: Sequence,
    /// Its place among the messages that one plan named, from 0.
    pub position: u32,
    /// Whose words it holds.
    pub role: Role,
    /// Who said it.
    pub author: Author,
    /// Field `text` of the message; `None` while it streams: the text so far is on the log.
    pub text: Option<Sealed>,
    /// How far it is.
    pub status: MessageStatus,
    /// Field `message_type` of the message; `None`: `text`.
    pub message_type: Option<Sealed>,
    /// Field `metadata` of the message.
    pub metadata: Option<Sealed>,
    /// The run that writes it.
    pub run: Option<RunId>,
    /// The run's attempt that is heard; 0 before the first.
    pub epoch: u32,
    /// Sequence of that attempt's `AgentStarted`; 0 before the first.
    pub started: Sequence,
    /// When it was sent or planned.
    pub created_at: DateTime<Utc>,
    /// When it ended, well or badly.
    pub completed_at: Option<DateTime<Utc>>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// Field `reason` of the message: why it broke off.
    pub reason: Option<Sealed>,
    /// What the model calls of its run took; nothing before it ended.
    pub spent: Spent,
    /// The first answer to the same question, where this is a later one.
    pub regenerates: Option<MessageId>,
}

/// All that answers one message. Turns of a conversation are in the order of `sequence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnRow {
    /// The turn.
    pub id: TurnId,
    /// Where it stands.
    pub conversation: ConversationId,
    /// Sequence of the `MessageSent` that put it into the queue, else of its `TurnStarted`.
    pub sequence: Sequence,
    /// The message that it answers.
    pub message: Option<MessageId>,
    /// Whose message or wish began it.
    pub person: PersonId,
    /// How far it is.
    pub status: RunStatus,
    /// Field `reason` of the turn: why it failed.
    pub reason: Option<Sealed>,
    /// When it began; before that, when it was put into the queue.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Who made its last plan.
    pub plan_kind: Option<PlanKind>,
    /// Field `reason` of the turn: why that plan.
    pub plan_reason: Option<Sealed>,
    /// Another plan follows.
    pub more: bool,
    /// The message of the last step that its plans name.
    pub answer: Option<MessageId>,
    /// The first answer to the same question, where this turn gives another one.
    pub regenerates: Option<MessageId>,
    /// Later prompts hold nothing of it.
    pub rolled_back: bool,
    /// What all its model calls took.
    pub spent: Spent,
}

/// One agent's part in a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The run.
    pub id: RunId,
    /// Where it stands.
    pub conversation: ConversationId,
    /// Its turn.
    pub turn: TurnId,
    /// Its place in the turn's plans, from 0.
    pub position: u32,
    /// The message that it writes.
    pub message: MessageId,
    /// The agent's name.
    pub agent: String,
    /// The model; before the first attempt the one that was asked for, if any.
    pub model: Option<String>,
    /// Attempt number; 0 while it waits for a worker.
    pub epoch: u32,
    /// How far it is.
    pub status: RunStatus,
    /// Field `error` of the run.
    pub error: Option<Sealed>,
    /// What all its model calls took.
    pub spent: Spent,
    /// Runs of the turn that have to end first.
    pub waits_for: Vec<RunId>,
    /// The tool call by which another agent asked for it.
    pub asked_by: Option<CallId>,
    /// When its last attempt began; before the first, when it was planned.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}
