//! What persons ask, in plain text. Here it is checked against the limits, sealed, and given its ids and its idempotency mark.

mod agents;
mod limits;
mod messages;
mod participants;
mod titles;
mod tools;

use std::fmt;

use event_store::Idempotency;
use events::event::{Approval, OverlapPolicy};
use events::{CallId, ConversationId, Field, MessageId, Sealed, TurnId};
use keyring::ContentKey;
use serde::Serialize;
use serde_json::Value;

pub use limits::{METADATA_LIMIT, TEXT_LIMIT};

use crate::append::{Order, Origin};
use crate::rules::Command;
use crate::{Caller, Commands, Error, Outcome, Result};

/// Begin a conversation.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StartConversation {
    /// Its title.
    pub title: Option<String>,
    /// Names of the agents that answer; left out: the default agent; empty: nobody.
    pub agents: Option<Vec<String>>,
    /// JSON of the client's own.
    pub metadata: Option<Value>,
}

/// Give a conversation another title.
#[derive(Clone, Debug, Serialize)]
pub struct RenameConversation {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its new title.
    pub title: String,
}

/// Archive a conversation.
#[derive(Clone, Debug, Serialize)]
pub struct ArchiveConversation {
    /// The conversation.
    pub conversation: ConversationId,
}

/// Bring a person in.
#[derive(Clone, Debug, Serialize)]
pub struct AddParticipant {
    /// The conversation.
    pub conversation: ConversationId,
    /// The person's `sub`, of the caller's issuer.
    pub person: String,
}

/// Remove a person, or leave.
#[derive(Clone, Debug, Serialize)]
pub struct RemoveParticipant {
    /// The conversation.
    pub conversation: ConversationId,
    /// The person's `sub`, of the caller's issuer.
    pub person: String,
}

/// Say something.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SendMessage {
    /// Where; left out: in a new conversation, answered by the default agent.
    pub conversation: Option<ConversationId>,
    /// What, not empty.
    pub text: String,
    /// The client's own type; left out: `text`.
    pub message_type: Option<String>,
    /// JSON of the client's own.
    pub metadata: Option<Value>,
    /// JSON Schema that the answer shall have.
    pub response_schema: Option<Value>,
    /// What becomes of it while a turn runs; left out: as the conversation has it.
    pub overlap: Option<OverlapPolicy>,
}

/// Run an agent without a new message.
#[derive(Clone, Debug, Serialize)]
pub struct StartAgent {
    /// The conversation.
    pub conversation: ConversationId,
    /// The agent's name.
    pub agent: String,
    /// The model that it shall use instead of its own.
    pub model: Option<String>,
    /// What it is told for this run.
    pub instructions: Option<String>,
}

/// Say who answers, and how.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigureAgents {
    /// The conversation.
    pub conversation: ConversationId,
    /// Names of the agents; empty: nobody.
    pub agents: Vec<String>,
    /// What becomes of a message that comes while a turn runs; left out: as before.
    pub overlap: Option<OverlapPolicy>,
    /// The least that every tool needs; left out: as before.
    pub approval: Option<Approval>,
}

/// Stop a turn.
#[derive(Clone, Debug, Serialize)]
pub struct StopTurn {
    /// The conversation.
    pub conversation: ConversationId,
    /// The turn; left out: whatever runs, else what would run next.
    pub turn: Option<TurnId>,
}

/// Answer the last question again.
#[derive(Clone, Debug, Serialize)]
pub struct RegenerateMessage {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its last answer.
    pub message: MessageId,
    /// The model that shall answer this time; left out: the same.
    pub model: Option<String>,
}

/// Allow a tool call that waits.
#[derive(Clone, Debug, Serialize)]
pub struct ApproveToolCall {
    /// The conversation.
    pub conversation: ConversationId,
    /// The call.
    pub call: CallId,
    /// Other arguments, if the person wants some.
    pub arguments: Option<Value>,
    /// Why the tool does not take these; of no account for a repeat.
    #[serde(skip)]
    pub objection: Option<String>,
    /// Whether the person is an administrator of the tenant; of no account for a repeat.
    #[serde(skip)]
    pub is_admin: bool,
}

/// Forbid a tool call that waits.
#[derive(Clone, Debug, Serialize)]
pub struct RejectToolCall {
    /// The conversation.
    pub conversation: ConversationId,
    /// The call.
    pub call: CallId,
    /// Why; the model is told.
    pub reason: Option<String>,
    /// Whether the person is an administrator of the tenant; of no account for a repeat.
    #[serde(skip)]
    pub is_admin: bool,
}

/// Whether a caller may go on with a command.
enum Admission {
    /// As far as this process knows; the rule decides.
    Admitted,
    /// This very command was accepted before.
    Repeated(Outcome),
}

impl Commands {
    /// Lets only participants go on, so that nobody else makes keys or learns that a conversation exists.
    async fn admit(&self, caller: &Caller, id: ConversationId, mark: Option<&Idempotency>) -> Result<Admission> {
        let takes_part =
            |loaded: &crate::Loaded| loaded.tenant == caller.tenant && loaded.state.has_participant(caller.person);
        if self.loader.remembered(id).is_some_and(|loaded| takes_part(&loaded)) {
            return Ok(Admission::Admitted);
        }
        if self.load(id).await?.is_some_and(|loaded| takes_part(&loaded)) {
            return Ok(Admission::Admitted);
        }
        self.first_answer(mark).await?.map(Admission::Repeated).ok_or(Error::NotFound)
    }

    /// A conversation that begins is nobody's yet. The mark is looked up first, so that a repeat leaves no key of a
    /// conversation behind that never begins.
    async fn admit_new(&self, mark: Option<&Idempotency>) -> Result<Admission> {
        Ok(self.first_answer(mark).await?.map_or(Admission::Admitted, Admission::Repeated))
    }

    async fn ask(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        command: impl Into<Command>,
        mark: Option<Idempotency>,
    ) -> Result<Outcome> {
        let order = Order {
            conversation,
            tenant: caller.tenant.clone(),
            command: command.into(),
            origin: Origin::Person(caller.person),
            traceparent: caller.traceparent.clone(),
            mark,
        };
        self.carry_out(order).await
    }

    /// What seals the fields of one owner in a conversation, under the caller's key.
    async fn sealer<'a>(
        &self,
        caller: &'a Caller,
        conversation: ConversationId,
        owner: impl fmt::Display,
    ) -> Result<Sealer<'a>> {
        let key = self.keyring.content_key(caller.person, conversation).await?;
        Ok(Sealer { key, tenant: &caller.tenant, conversation, owner: owner.to_string() })
    }
}

/// Seals the fields of one owner.
struct Sealer<'a> {
    key: ContentKey,
    tenant: &'a str,
    conversation: ConversationId,
    owner: String,
}

impl Sealer<'_> {
    fn of(&self, owner: impl fmt::Display) -> Self {
        Self { key: self.key.clone(), owner: owner.to_string(), ..*self }
    }

    fn seal(&self, name: &'static str, text: &str) -> Sealed {
        self.key.seal(&Field::new(self.tenant, self.conversation, &self.owner, name), text)
    }
}
