//! Tool calls: what a model wants done, who allowed it, and what came of it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CallId, PersonId, RunId, Sealed};

/// A model wants a tool to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCallRequested {
    /// The call; also the idempotency key that its requests carry.
    pub call: CallId,
    /// The run that asks.
    pub run: RunId,
    /// The model call that said so.
    pub model_call: CallId,
    /// The tool's name.
    pub tool: String,
    /// Field `arguments` of the call: JSON, as the tool gets it; as the model wrote it where that is not valid.
    pub arguments: Sealed,
    /// A person has to approve it first.
    pub needs_approval: bool,
    /// Until then; afterwards it counts as rejected. Absent where nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// It changes something outside.
    pub writes: bool,
    /// It may be repeated where nobody knows whether it took place.
    pub idempotent: bool,
}

/// A person allowed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCallApproved {
    /// The call.
    pub call: CallId,
    /// Who.
    pub by: PersonId,
    /// Field `edited` of the call: other arguments that the person wants instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Sealed>,
}

/// Why a tool call does not take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectionCause {
    /// A person said no.
    Person,
    /// Nobody said anything in time.
    Expired,
    /// The settings, the agent or the conversation deny the tool.
    Denied,
}

/// It does not take place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCallRejected {
    /// The call.
    pub call: CallId,
    /// Why.
    pub cause: RejectionCause,
    /// Who, where a person said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PersonId>,
    /// Field `reason` of the call, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
}

/// A worker is about to run it. Durable before any request leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCallStarted {
    /// The call.
    pub call: CallId,
    /// Attempt, from 1.
    pub epoch: u32,
}

/// It took place and gave a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCallCompleted {
    /// The call.
    pub call: CallId,
    /// Field `result` of the call: JSON.
    pub result: Sealed,
    /// Field `provenance` of the call: JSON list of the addresses that the result came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Sealed>,
    /// The result came from our own cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
}

/// It did not work; the model is told why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCallFailed {
    /// The call.
    pub call: CallId,
    /// Field `error` of the call.
    pub error: Sealed,
}

/// It began, it changes something outside, and nobody knows whether it took place. It is never repeated by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCallUncertain {
    /// The call.
    pub call: CallId,
    /// Field `error` of the call: what is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Sealed>,
}
