//! The conversation itself, who takes part, and who answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{PersonId, Sealed};

/// A conversation began; always sequence 1. Its starter is the record's actor and the first participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationStarted {
    /// Who began it.
    pub starter: PersonId,
    /// Its title, field `title` of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Sealed>,
    /// Names of the agents that answer; empty: nobody answers by itself.
    pub agents: Vec<String>,
    /// JSON of the client's own, field `metadata` of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Sealed>,
}

/// It got another title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationRenamed {
    /// Field `title` of the conversation.
    pub title: Sealed,
}

/// It takes no more messages; it stays readable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationArchived {}

/// A person may read and write from now on, the past included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParticipantAdded {
    /// Who.
    pub person: PersonId,
}

/// A person may neither read nor write any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParticipantRemoved {
    /// Who.
    pub person: PersonId,
}

/// What becomes of a message that is sent while a turn runs or waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverlapPolicy {
    /// Its turn comes after the others.
    #[default]
    Enqueue,
    /// It is refused.
    Reject,
    /// The running turn is stopped; the message's turn comes as soon as that has ended.
    Interrupt,
    /// As `Interrupt`, and later prompts hold nothing of the stopped turn.
    Rollback,
    /// The running turn reads it at its next step; if it has none, the message gets a turn of its own.
    Steer,
}

/// Whether a tool runs by itself; the greater one is the stricter one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// At once.
    #[default]
    Auto,
    /// After a person has said yes.
    Ask,
    /// Never.
    Deny,
}

/// Who answers and how from now on: all of it, also what stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentsConfigured {
    /// Names of the agents that answer; empty: nobody answers by itself.
    pub agents: Vec<String>,
    /// What becomes of a message that comes while a turn runs.
    pub overlap: OverlapPolicy,
    /// The least that every tool needs here; settings and agents may ask for more.
    pub approval: Approval,
}
