//! Turns: all that answers one message, one at a time in a conversation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CallId, MessageId, PersonId, RunId, Sealed, TurnId};

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
    /// The answer that this turn's takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regenerates: Option<MessageId>,
}

/// Who made a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// The settings: the agents in their order.
    #[default]
    Fixed,
    /// Rules over the message's content.
    Rules,
    /// An orchestrating agent.
    Model,
    /// An agent that asked another one, by a tool call.
    Asked,
}

/// Which agents run, in which order. A later one of the same turn adds runs to what was planned before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnPlanned {
    /// The turn.
    pub turn: TurnId,
    /// Who made this plan.
    pub kind: PlanKind,
    /// The runs, first to last, with the ids that they keep.
    pub runs: Vec<PlannedRun>,
    /// Another plan follows when these runs have ended: the turn goes on until then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
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
    /// Field `instructions` of the run, where they were given with the request or by the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Sealed>,
    /// Runs of the turn that have to end first, well or badly; it is shown what they produced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<RunId>,
    /// The tool call by which another agent asked for it: its answer is that call's result, not the turn's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<CallId>,
}

/// A person wants the turn to stop. Its runs end one by one with what they had produced, the turn with the last of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopRequested {
    /// The turn.
    pub turn: TurnId,
    /// Who wants it.
    pub by: PersonId,
    /// Later prompts shall hold nothing of the turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub roll_back: bool,
}

/// Its last step ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnCompleted {
    /// The turn.
    pub turn: TurnId,
}

/// Its last step failed, and the turn with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnFailed {
    /// The turn.
    pub turn: TurnId,
    /// Field `reason` of the turn.
    pub reason: Sealed,
}

/// It was stopped, or taken out of the queue before it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnStopped {
    /// The turn.
    pub turn: TurnId,
    /// Who wanted it.
    pub by: PersonId,
    /// Later prompts hold nothing of the turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
}
