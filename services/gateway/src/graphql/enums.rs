//! The enums that several types share, and the usage of a model.

use async_graphql::{Enum, SimpleObject};

use super::scalars::int;

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

/// Tokens, as the provider counted them.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Of the prompt, cached ones included.
    input_tokens: i32,
    /// Of the answer, reasoning included.
    output_tokens: i32,
    /// Of the answer's, those spent on reasoning.
    reasoning_tokens: i32,
    /// Of the prompt's, those that the provider had cached.
    cached_tokens: i32,
}

impl From<events::Usage> for Usage {
    fn from(usage: events::Usage) -> Self {
        Self {
            input_tokens: int(usage.input_tokens),
            output_tokens: int(usage.output_tokens),
            reasoning_tokens: int(usage.reasoning_tokens),
            cached_tokens: int(usage.cached_tokens),
        }
    }
}
