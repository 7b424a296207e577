//! What mutations answer.

use async_graphql::{Interface, SimpleObject};
use commands::{Outcome, Rejection as Refused};

use super::Answer;
use super::conversation::Conversation;
use super::message::Message;
use super::run::AgentRun;
use super::scalars::Cursor;
use super::tool_call::ToolCall;
use super::turn::Turn;
use crate::Error;
use crate::auth::Principal;

/// Why a mutation was refused.
#[allow(clippy::duplicated_attributes, reason = "two fields of one type")]
#[derive(Interface)]
#[graphql(
    field(name = "code", ty = "&String", desc = "The rule's name, for programs."),
    field(name = "message", ty = "&String", desc = "Why, in words for a person."),
    field(name = "path", ty = "&Option<Vec<String>>", desc = "Where in the input.")
)]
pub(super) enum UserError {
    /// A business rule said no.
    Rejection(Rejection),
}

/// A business rule said no: CONVERSATION_ARCHIVED, TITLE_TOO_LONG, UNKNOWN_AGENT, … Everything else (NOT_FOUND,
/// BAD_USER_INPUT, IDEMPOTENCY_KEY_REUSED, …) is a top-level error with `extensions.code`.
#[derive(SimpleObject)]
pub(super) struct Rejection {
    /// The rule's name, for programs.
    code: String,
    /// Why, in words for a person.
    message: String,
    /// Where in the input.
    path: Option<Vec<String>>,
}

/// What a command came to: its outcome, or the rule that said no. Every other failure is an error of the field.
pub(super) struct Decision(Result<Outcome, UserError>);

impl Decision {
    pub(super) fn of(result: commands::Result<Outcome>) -> Answer<Self> {
        match result {
            Ok(outcome) => Ok(Self(Ok(outcome))),
            Err(commands::Error::Rejected(refused)) => Ok(Self(Err(UserError::Rejection(refused.into())))),
            Err(error) => Err(Error::from(error).into()),
        }
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.0.as_ref().ok()
    }

    /// The conversation as it was left, unless the caller has left it.
    pub(super) fn conversation(&self, caller: &Principal) -> Option<Conversation> {
        let outcome = self.outcome().filter(|outcome| outcome.loaded.state.has_participant(caller.person))?;
        Some(Conversation::decided(outcome))
    }

    fn cursor(&self) -> Option<Cursor> {
        self.outcome().map(|outcome| Cursor::at(outcome.sequence()))
    }

    fn errors(self) -> Vec<UserError> {
        self.0.err().into_iter().collect()
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        let path = place(refused.code).map(|field| vec!["input".to_owned(), field.to_owned()]);
        Self { code: refused.code.to_owned(), message: refused.message, path }
    }
}

/// The field of the input that a rule is about.
fn place(code: &str) -> Option<&'static str> {
    use commands::rules::code;
    match code {
        code::CONVERSATION_ARCHIVED | code::TURN_RUNNING => Some("conversationId"),
        code::TITLE_TOO_LONG => Some("title"),
        code::MODEL_NOT_ALLOWED => Some("model"),
        code::NOT_LAST_ANSWER => Some("messageId"),
        code::TURN_NOT_RUNNING | code::TURN_STOPPING => Some("turnId"),
        code::ALREADY_DECIDED | code::NOT_AN_APPROVER => Some("toolCallId"),
        code::INVALID_ARGUMENTS => Some("arguments"),
        code::ALREADY_PARTICIPANT | code::NOT_A_PARTICIPANT | code::LAST_PARTICIPANT => Some("person"),
        _ => None,
    }
}

/// Five mutations answer with the conversation and nothing else; GraphQL wants a name of its own for each.
macro_rules! conversation_payloads {
    ($($name:ident)*) => {$(
        /// The conversation as it stands then; null where a rule said no, or where you no longer take part.
        #[derive(SimpleObject)]
        pub(super) struct $name {
            /// The conversation.
            conversation: Option<Conversation>,
            /// The place just after what was decided.
            cursor: Option<Cursor>,
            /// Why a rule said no.
            errors: Vec<UserError>,
            /// As it came.
            client_mutation_id: Option<String>,
        }

        impl $name {
            pub(super) fn of(decision: Decision, caller: &Principal, client_mutation_id: Option<String>) -> Self {
                let (conversation, cursor) = (decision.conversation(caller), decision.cursor());
                Self { conversation, cursor, errors: decision.errors(), client_mutation_id }
            }
        }
    )*};
}

conversation_payloads! {
    StartConversationPayload
    RenameConversationPayload
    ParticipantPayload
    ArchiveConversationPayload
    ConfigureAgentsPayload
}

/// `cursor` stands just after the message: subscribe from it and miss nothing of the answer.
#[derive(SimpleObject)]
pub(super) struct SendMessagePayload {
    /// The message.
    message: Option<Message>,
    /// Where it was sent to.
    conversation: Option<Conversation>,
    /// The place just after the message.
    cursor: Option<Cursor>,
    /// Why a rule said no.
    errors: Vec<UserError>,
    /// As it came.
    client_mutation_id: Option<String>,
}

impl SendMessagePayload {
    pub(super) fn of(
        decision: Decision,
        caller: &Principal,
        message: Option<Message>,
        client_mutation_id: Option<String>,
    ) -> Self {
        let (conversation, cursor) = (decision.conversation(caller), decision.cursor());
        Self { message, conversation, cursor, errors: decision.errors(), client_mutation_id }
    }
}

/// `cursor` stands just after the plan: subscribe from it and miss nothing of the run.
#[derive(SimpleObject)]
pub(super) struct StartAgentPayload {
    /// The run.
    run: Option<AgentRun>,
    /// The message that it will write.
    message: Option<Message>,
    /// The place just after the plan.
    cursor: Option<Cursor>,
    /// Why a rule said no.
    errors: Vec<UserError>,
    /// As it came.
    client_mutation_id: Option<String>,
}

impl StartAgentPayload {
    pub(super) fn of(
        decision: Decision,
        planned: Option<(AgentRun, Message)>,
        client_mutation_id: Option<String>,
    ) -> Self {
        let cursor = decision.cursor();
        let (run, message) = planned.unzip();
        Self { run, message, cursor, errors: decision.errors(), client_mutation_id }
    }
}

/// What stopped keeps what it had produced.
#[derive(SimpleObject)]
pub(super) struct StopTurnPayload {
    /// The turn: as it ended, or still RUNNING where that takes longer than two seconds.
    turn: Option<Turn>,
    /// The place just after the wish.
    cursor: Option<Cursor>,
    /// Why a rule said no.
    errors: Vec<UserError>,
    /// As it came.
    client_mutation_id: Option<String>,
}

impl StopTurnPayload {
    pub(super) fn of(decision: Decision, turn: Option<Turn>, client_mutation_id: Option<String>) -> Self {
        let cursor = decision.cursor();
        Self { turn, cursor, errors: decision.errors(), client_mutation_id }
    }
}

/// `cursor` stands just after the plan: subscribe from it and miss nothing of the new answer.
#[derive(SimpleObject)]
pub(super) struct RegenerateMessagePayload {
    /// The new answer, not yet written.
    message: Option<Message>,
    /// The place just after the plan.
    cursor: Option<Cursor>,
    /// Why a rule said no.
    errors: Vec<UserError>,
    /// As it came.
    client_mutation_id: Option<String>,
}

impl RegenerateMessagePayload {
    pub(super) fn of(decision: Decision, message: Option<Message>, client_mutation_id: Option<String>) -> Self {
        let cursor = decision.cursor();
        Self { message, cursor, errors: decision.errors(), client_mutation_id }
    }
}

/// Exactly one decision counts; whoever comes later gets ALREADY_DECIDED.
#[derive(SimpleObject)]
pub(super) struct ToolCallPayload {
    /// The tool call.
    tool_call: Option<ToolCall>,
    /// The place just after the decision.
    cursor: Option<Cursor>,
    /// Why a rule said no.
    errors: Vec<UserError>,
    /// As it came.
    client_mutation_id: Option<String>,
}

impl ToolCallPayload {
    pub(super) fn of(decision: Decision, tool_call: Option<ToolCall>, client_mutation_id: Option<String>) -> Self {
        let cursor = decision.cursor();
        Self { tool_call, cursor, errors: decision.errors(), client_mutation_id }
    }
}
