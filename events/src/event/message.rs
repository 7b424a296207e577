//! Messages: what a person sent, and how an agent's answer ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Spent;
use crate::{FinishReason, MessageId, PersonId, RunId, Sealed, Sequence, TurnId};

/// A person said something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageSent {
    /// The message.
    pub message: MessageId,
    /// Who said it.
    pub author: PersonId,
    /// Field `text` of the message.
    pub text: Sealed,
    /// Length of the text, in bytes of UTF-8.
    pub text_bytes: u32,
    /// The turn that answers it, from its place in the queue on; absent where the conversation had no agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// The running turn that reads it at its next step; if that has none, `turn` answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steers: Option<TurnId>,
    /// Field `message_type` of the message; absent: `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_type: Option<Sealed>,
    /// JSON of the client's own, field `metadata` of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Sealed>,
    /// JSON Schema that the answer shall have, field `response_schema` of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_schema: Option<Sealed>,
}

/// An agent's answer is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageCompleted {
    /// The message.
    pub message: MessageId,
    /// The run that wrote it.
    pub run: RunId,
    /// The attempt that won.
    pub epoch: u32,
    /// Sequence of that attempt's `AgentStarted`.
    pub started: Sequence,
    /// Field `text` of the message: the deltas of kind text, joined.
    pub text: Sealed,
    /// Field `reasoning` of the message: the deltas of kind reasoning, joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Sealed>,
    /// Field `calls` of the message: the deltas of kind tool call, joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Sealed>,
    /// Field `chunks` of the message: the table that cuts the text into the chunks it was produced in.
    pub chunks: Sealed,
    /// Why the model stopped.
    pub finish_reason: FinishReason,
    /// What all model calls of the run took.
    #[serde(default, skip_serializing_if = "Spent::is_nothing")]
    pub spent: Spent,
}

/// An agent's answer broke off for good; what had been produced stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageFailed {
    /// The message.
    pub message: MessageId,
    /// The run that wrote it.
    pub run: RunId,
    /// The last attempt; 0 if none ever began.
    pub epoch: u32,
    /// Sequence of that attempt's `AgentStarted`; 0 if none ever began.
    pub started: Sequence,
    /// Field `text` of the message: the part that there is, maybe empty.
    pub text: Sealed,
    /// Field `reasoning` of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Sealed>,
    /// Field `calls` of the message: the deltas of kind tool call, joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Sealed>,
    /// Field `chunks` of the message: the table of the part that there is.
    pub chunks: Sealed,
    /// Field `reason` of the message: why, in words for a person.
    pub reason: Sealed,
    /// What all model calls of the run took.
    #[serde(default, skip_serializing_if = "Spent::is_nothing")]
    pub spent: Spent,
}

/// An agent's answer was stopped by a person; what had been produced stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageStopped {
    /// The message.
    pub message: MessageId,
    /// The run that wrote it; it has ended with this.
    pub run: RunId,
    /// The last attempt; 0 if none ever began.
    pub epoch: u32,
    /// Sequence of that attempt's `AgentStarted`; 0 if none ever began.
    pub started: Sequence,
    /// Field `text` of the message: the part that there is, maybe empty.
    pub text: Sealed,
    /// Field `reasoning` of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Sealed>,
    /// Field `calls` of the message: the deltas of kind tool call, joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Sealed>,
    /// Field `chunks` of the message: the table of the part that there is.
    pub chunks: Sealed,
    /// What all model calls of the run took.
    #[serde(default, skip_serializing_if = "Spent::is_nothing")]
    pub spent: Spent,
}
