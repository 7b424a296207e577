//! What the tables hold, typed. Sealed values stand as their events carried them.

use chrono::{DateTime, Utc};
use events::{ConversationId, FinishReason, MessageId, PersonId, RunId, Sealed, Sequence, TurnId, Usage};

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
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// Time of its last event.
    pub updated_at: DateTime<Utc>,
    /// Since when it takes no more messages.
    pub archived_at: Option<DateTime<Utc>>,
    /// Its last event.
    pub sequence: Sequence,
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
}

/// How far a run or a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// It goes on, or waits for a worker.
    Running,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
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
    /// Tokens, where the provider counted them.
    pub usage: Option<Usage>,
}

/// All that answers one message. Turns of a conversation are in the order of `sequence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnRow {
    /// The turn.
    pub id: TurnId,
    /// Where it stands.
    pub conversation: ConversationId,
    /// Sequence of its `TurnStarted`.
    pub sequence: Sequence,
    /// The message that it answers.
    pub message: Option<MessageId>,
    /// Whose message or wish began it.
    pub person: PersonId,
    /// How far it is.
    pub status: RunStatus,
    /// Field `reason` of the turn: why it failed.
    pub reason: Option<Sealed>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
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
    /// Its place in the turn's plan, from 0.
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
    /// Tokens, where the provider counted them.
    pub usage: Option<Usage>,
    /// When its last attempt began; before the first, when it was planned.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}
