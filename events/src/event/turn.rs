//! Turns: all that answers one message, one at a time in a conversation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MessageId, PersonId, RunId, Sealed, TurnId};

/// An answer to a message, or a run that somebody asked for, begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnStarted {
    /// The turn.
    pub turn: TurnId,
    /// The message that it answers; absent where somebody started an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// Whose message or wish began it: what it produces is sealed under this person's key.
    pub person: PersonId,
}

/// Which agents run, in which order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnPlanned {
    /// The turn.
    pub turn: TurnId,
    /// The runs, first to last, with the ids that they keep.
    pub runs: Vec<PlannedRun>,
    /// Field `reason` of the turn: why this plan.
    pub reason: Sealed,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedRun {
    /// The run.
    pub run: RunId,
    /// The message that it will write.
    pub message: MessageId,
    /// The agent's name.
    pub agent: String,
    /// The model it shall use, where that was asked for: `<provider>/<model>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Field `instructions` of the run, where they were given with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Sealed>,
}

/// Every run ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnCompleted {
    /// The turn.
    pub turn: TurnId,
}

/// A run failed, and the turn with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnFailed {
    /// The turn.
    pub turn: TurnId,
    /// Field `reason` of the turn.
    pub reason: Sealed,
}
