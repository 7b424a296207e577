//! The inputs of mutations.

use async_graphql::{ID, InputObject, Json};
use serde_json::Value;

/// Begins a conversation.
#[derive(InputObject)]
pub(super) struct StartConversationInput {
    /// At most 200 characters.
    pub(super) title: Option<String>,
    /// Names of the agents that answer; an empty list: nobody does until `startAgent`; left out: the default agent.
    pub(super) agents: Option<Vec<String>>,
    /// JSON of your own, 16 KiB at most.
    pub(super) metadata: Option<Json<Value>>,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}

/// Gives a conversation another title.
#[derive(InputObject)]
pub(super) struct RenameConversationInput {
    /// The conversation.
    pub(super) conversation_id: ID,
    /// The new title.
    pub(super) title: String,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}

/// Says who shall take part, or no longer.
#[derive(InputObject)]
pub(super) struct ParticipantInput {
    /// The conversation.
    pub(super) conversation_id: ID,
    /// The person's id: the `sub` of their tokens.
    pub(super) person: String,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}

/// Closes a conversation for new messages.
#[derive(InputObject)]
pub(super) struct ArchiveConversationInput {
    /// The conversation.
    pub(super) conversation_id: ID,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}

/// Says something.
#[derive(InputObject)]
pub(super) struct SendMessageInput {
    /// The conversation; without it one is started.
    pub(super) conversation_id: Option<ID>,
    /// What is said: not empty, 256 KiB at most.
    pub(super) text: String,
    /// A word of your own for what kind of message it is.
    #[graphql(default_with = "Some(String::from(\"text\"))")]
    pub(super) message_type: Option<String>,
    /// JSON of your own, 16 KiB at most.
    pub(super) metadata: Option<Json<Value>>,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}

/// Runs one agent on a conversation as it stands.
#[derive(InputObject)]
pub(super) struct StartAgentInput {
    /// The conversation.
    pub(super) conversation_id: ID,
    /// The agent's name.
    pub(super) agent: String,
    /// Another model than the agent's own, `<provider>/<model>`.
    pub(super) model: Option<String>,
    /// Added to the agent's own instructions, for this run.
    pub(super) instructions: Option<String>,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}
