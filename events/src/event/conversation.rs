//! The conversation itself and who takes part.

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
