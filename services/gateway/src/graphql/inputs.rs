//! The inputs of mutations.

use async_graphql::{ID, InputObject, Json};
use serde_json::Value;

use super::enums::{OverlapPolicy, ToolApproval};

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
    /// JSON Schema that the answer shall have, 16 KiB at most.
    pub(super) response_schema: Option<Json<Value>>,
    /// What becomes of it while a turn runs or waits; left out: as the conversation has it.
    pub(super) overlap_policy: Option<OverlapPolicy>,
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

/// Says who answers from now on.
#[derive(InputObject)]
pub(super) struct ConfigureAgentsInput {
    /// The conversation.
    pub(super) conversation_id: ID,
    /// Names of the agents that answer; an empty list: nobody does until `startAgent`.
    pub(super) agents: Vec<String>,
    /// What becomes of a message that is sent while a turn runs or waits; left out: as before.
    pub(super) overlap_policy: Option<OverlapPolicy>,
    /// The least that every tool needs here; left out: as before. Settings and agents may ask for more.
    pub(super) tool_approval: Option<ToolApproval>,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}

/// Stops a turn.
#[derive(InputObject)]
pub(super) struct StopTurnInput {
    /// The conversation.
    pub(super) conversation_id: ID,
    /// The turn; left out: whatever runs in the conversation.
    pub(super) turn_id: Option<ID>,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}

/// Asks the last question again.
#[derive(InputObject)]
pub(super) struct RegenerateMessageInput {
    /// The last answer.
    pub(super) message_id: ID,
    /// Another model for this time, `<provider>/<model>`.
    pub(super) model: Option<String>,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}

/// Allows a tool call that waits.
#[derive(InputObject)]
pub(super) struct ApproveToolCallInput {
    /// The tool call.
    pub(super) tool_call_id: ID,
    /// Other arguments than the model's: an object, 256 KiB at most. The model is told.
    pub(super) arguments: Option<Json<Value>>,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}

/// Forbids a tool call that waits.
#[derive(InputObject)]
pub(super) struct RejectToolCallInput {
    /// The tool call.
    pub(super) tool_call_id: ID,
    /// Why; the model is told.
    pub(super) reason: Option<String>,
    /// The same key with the same input gives the same answer, for ever; else the header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// Comes back as it is.
    pub(super) client_mutation_id: Option<String>,
}
