//! What happens in a conversation, in the past tense. A released form is never changed, only superseded.

pub mod call;
pub mod conversation;
pub mod message;
pub mod run;
pub mod tool;
pub mod turn;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use call::{CallOutcome, CallPurpose, Cost, ModelCallEnded, ModelCallStarted, Said, Spent};
pub use conversation::{
    AgentsConfigured, Approval, ConversationArchived, ConversationRenamed, ConversationStarted, OverlapPolicy,
    ParticipantAdded, ParticipantRemoved,
};
pub use message::{MessageCompleted, MessageFailed, MessageSent, MessageStopped};
pub use run::{AgentCompleted, AgentFailed, AgentStarted, ContextReference};
pub use tool::{
    RejectionCause, ToolCallApproved, ToolCallCompleted, ToolCallFailed, ToolCallRejected, ToolCallRequested,
    ToolCallStarted, ToolCallUncertain,
};
pub use turn::{PlanKind, PlannedRun, StopRequested, TurnCompleted, TurnFailed, TurnPlanned, TurnStarted, TurnStopped};

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It had said everything.
    Stop,
    /// It ran into a limit: the model's, or ours of 512 KiB.
    Length,
    /// It asks for tools.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
}

/// Tokens: of one model call, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: u32,
    /// Tokens of the answer, reasoning included.
    pub output_tokens: u32,
    /// Of the answer's, those spent on reasoning.
    pub reasoning_tokens: u32,
    /// Of the prompt's, those that the provider had cached.
    pub cached_tokens: u32,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
        }
    }

    /// Tokens of prompt and answer.
    #[must_use]
    pub fn total(self) -> u64 {
        u64::from(self.input_tokens) + u64::from(self.output_tokens)
    }
}

macro_rules! conversation_events {
    ($($name:ident $wire:literal;)*) => {
        /// Every event that a conversation's stream can hold.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum ConversationEvent {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        impl ConversationEvent {
            /// The design's names and the wire types without version, in the order of the design's table.
            pub const TYPES: &'static [(&'static str, &'static str)] = &[$((stringify!($name), concat!("dev.loquent.", $wire)),)*];

            /// The wire type without its version: `dev.loquent.message.completed`.
            #[must_use]
            pub fn wire_type(&self) -> &'static str {
                match self { $(Self::$name(_) => concat!("dev.loquent.", $wire),)* }
            }

            /// The name in the design and in GraphQL: `MessageCompleted`.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// The data alone, without a tag.
            ///
            /// # Panics
            /// Never: no event holds a map with keys that are not strings.
            #[must_use]
            pub fn data(&self) -> serde_json::Value {
                match self { $(Self::$name(event) => serde_json::to_value(event),)* }.unwrap_or_default()
            }

            /// Version 1 of a type from its data; `None` for a type that is not known.
            pub(crate) fn from_v1(wire_type: &str, data: serde_json::Value) -> Option<Result<Self, serde_json::Error>> {
                match wire_type {
                    $(concat!("dev.loquent.", $wire) => Some(serde_json::from_value(data).map(Self::$name)),)*
                    _ => None,
                }
            }

            /// The JSON Schema of a type's data, version 1.
            pub(crate) fn schema_v1(wire_type: &str) -> Option<schemars::Schema> {
                match wire_type {
                    $(concat!("dev.loquent.", $wire) => Some(schemars::schema_for!($name)),)*
                    _ => None,
                }
            }
        }

        $(impl From<$name> for ConversationEvent {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*
    };
}

conversation_events! {
    ConversationStarted "conversation.started";
    ConversationRenamed "conversation.renamed";
    ConversationArchived "conversation.archived";
    ParticipantAdded "participant.added";
    ParticipantRemoved "participant.removed";
    AgentsConfigured "agents.configured";
    MessageSent "message.sent";
    MessageCompleted "message.completed";
    MessageFailed "message.failed";
    MessageStopped "message.stopped";
    TurnStarted "turn.started";
    TurnPlanned "turn.planned";
    StopRequested "stop.requested";
    TurnCompleted "turn.completed";
    TurnFailed "turn.failed";
    TurnStopped "turn.stopped";
    AgentStarted "agent.started";
    AgentCompleted "agent.completed";
    AgentFailed "agent.failed";
    ModelCallStarted "model_call.started";
    ModelCallEnded "model_call.ended";
    ToolCallRequested "tool_call.requested";
    ToolCallApproved "tool_call.approved";
    ToolCallRejected "tool_call.rejected";
    ToolCallStarted "tool_call.started";
    ToolCallCompleted "tool_call.completed";
    ToolCallFailed "tool_call.failed";
    ToolCallUncertain "tool_call.uncertain";
}

impl ConversationEvent {
    /// The version that this build writes, of every type.
    pub const VERSION: &'static str = "1";
}
