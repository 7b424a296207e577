//! The enums that several types share.

use async_graphql::Enum;
use events::event;

/// Whose message it is, in a model's terms.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A person.
    User,
    /// An agent.
    Assistant,
    /// Instructions.
    System,
    /// A tool's result.
    Tool,
}

/// How far a message has come.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageStatus {
    /// It is being written.
    Streaming,
    /// It is whole.
    Completed,
    /// It broke off for good; what there was stays.
    Failed,
    /// Somebody stopped it.
    Stopped,
}

/// How far a run or a turn has come.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunStatus {
    /// It works, or waits for a worker.
    Running,
    /// It ended well.
    Completed,
    /// It ended badly and will not be tried again.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// It waits for a person.
    Waiting,
    /// A turn: others come before it. A run: others of its turn have to end first.
    Queued,
}

impl From<projections::RunStatus> for RunStatus {
    fn from(status: projections::RunStatus) -> Self {
        match status {
            projections::RunStatus::Queued => Self::Queued,
            projections::RunStatus::Running => Self::Running,
            projections::RunStatus::Waiting => Self::Waiting,
            projections::RunStatus::Completed => Self::Completed,
            projections::RunStatus::Failed => Self::Failed,
            projections::RunStatus::Stopped => Self::Stopped,
        }
    }
}

/// How far a tool call has come.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToolCallStatus {
    /// It may run, and waits for a worker.
    Requested,
    /// A person has to decide.
    Waiting,
    /// It is being carried out.
    Running,
    /// It gave a result.
    Completed,
    /// It did not work.
    Failed,
    /// A person, or the settings, said no.
    Rejected,
    /// Nobody decided in time; it counts as rejected.
    Expired,
    /// Its run ended, or was stopped, before it did.
    Cancelled,
    /// A call with a side effect began and nobody knows whether it took place; it is never repeated by itself.
    Uncertain,
}

impl From<projections::ToolCallStatus> for ToolCallStatus {
    fn from(status: projections::ToolCallStatus) -> Self {
        match status {
            projections::ToolCallStatus::Requested => Self::Requested,
            projections::ToolCallStatus::Waiting => Self::Waiting,
            projections::ToolCallStatus::Running => Self::Running,
            projections::ToolCallStatus::Completed => Self::Completed,
            projections::ToolCallStatus::Failed => Self::Failed,
            projections::ToolCallStatus::Rejected => Self::Rejected,
            projections::ToolCallStatus::Expired => Self::Expired,
            projections::ToolCallStatus::Cancelled => Self::Cancelled,
            projections::ToolCallStatus::Uncertain => Self::Uncertain,
        }
    }
}

/// What becomes of a message that is sent while a turn runs or waits.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "event::OverlapPolicy")]
pub(crate) enum OverlapPolicy {
    /// Its turn comes after the others.
    Enqueue,
    /// It is refused: TURN_RUNNING.
    Reject,
    /// The running turn is stopped; the message's turn comes as soon as that has ended.
    Interrupt,
    /// As INTERRUPT; the stopped turn's messages stay visible and leave later prompts.
    Rollback,
    /// The running turn reads it at its next step; if it has none, the message gets a turn of its own.
    Steer,
}

/// Whether tools run by themselves.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "event::Approval")]
pub(crate) enum ToolApproval {
    /// At once, unless settings or agent ask for more.
    Auto,
    /// After a person has said yes.
    Ask,
    /// Never.
    Deny,
}

/// Why a message ended.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinishReason {
    /// The model had said everything.
    Stop,
    /// It ran into a limit: the model's, or ours of 512 KiB.
    Length,
    /// It asks for tools.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
    /// Somebody stopped it.
    Stopped,
    /// It failed.
    Error,
}

impl From<events::FinishReason> for FinishReason {
    fn from(reason: events::FinishReason) -> Self {
        match reason {
            events::FinishReason::Stop => Self::Stop,
            events::FinishReason::Length => Self::Length,
            events::FinishReason::ToolCalls => Self::ToolCalls,
            events::FinishReason::ContentFilter => Self::ContentFilter,
        }
    }
}

/// What a chunk's text is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChunkKind {
    /// A piece of the answer.
    Text,
    /// A piece of the model's reasoning.
    Reasoning,
    /// A piece of a tool call's arguments.
    ToolCall,
}

impl From<events::ChunkKind> for ChunkKind {
    fn from(kind: events::ChunkKind) -> Self {
        match kind {
            events::ChunkKind::Text => Self::Text,
            events::ChunkKind::Reasoning => Self::Reasoning,
            events::ChunkKind::ToolCall => Self::ToolCall,
        }
    }
}
