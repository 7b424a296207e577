//! An agent's run: claimed by one worker at a time, ended once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Spent;
use crate::{ConversationId, MessageId, RunId, Sealed, Sequence, TurnId};

/// A worker claimed the run. The next epoch is a takeover: the chunks of older ones are void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStarted {
    /// The run.
    pub run: RunId,
    /// Its turn.
    pub turn: TurnId,
    /// The message that it writes.
    pub message: MessageId,
    /// The agent's name.
    pub agent: String,
    /// `offline` or `<provider>/<model>`.
    pub model: String,
    /// Attempt, from 1.
    pub epoch: u32,
    /// What the model is asked, by reference.
    pub context: ContextReference,
}

/// Where the exact request can be rebuilt from: a prompt is never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextReference {
    /// The conversation that was read.
    pub conversation: ConversationId,
    /// The last event that was read.
    pub up_to: Sequence,
    /// SHA-256 of the agent's settings at that time, under which the store keeps them; lower-case hex.
    pub profile: String,
    /// Version of the renderer that made the request of it.
    pub renderer: u32,
    /// HMAC-SHA256 of the exact request body, under the content key that seals the answer; lower-case hex.
    pub digest: String,
}

/// The run ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentCompleted {
    /// The run.
    pub run: RunId,
    /// What all its model calls took.
    #[serde(default, skip_serializing_if = "Spent::is_nothing")]
    pub spent: Spent,
}

/// The run ended badly and will not be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentFailed {
    /// The run.
    pub run: RunId,
    /// Field `error` of the run: why, in words for a person.
    pub error: Sealed,
    /// What all its model calls took.
    #[serde(default, skip_serializing_if = "Spent::is_nothing")]
    pub spent: Spent,
}
