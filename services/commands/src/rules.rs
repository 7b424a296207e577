//! What may happen: one file per command, each with its facts, its rule and its tests.
//!
//! A command carries its ids, sealed values, and the clear facts about them that its rule needs (a length, whether the
//! catalog knows a name). An accepted command always gives at least one event.

pub mod add_participant;
pub mod archive_conversation;
pub mod claim_run;
pub mod code;
pub mod complete_run;
pub mod fail_run;
pub mod remove_participant;
pub mod rename_conversation;
pub mod send_message;
pub mod start_agent;
pub mod start_conversation;
pub mod start_turn;

use events::{ConversationEvent, PersonId};

pub use add_participant::AddParticipant;
pub use archive_conversation::ArchiveConversation;
pub use claim_run::ClaimRun;
pub use complete_run::CompleteRun;
pub use fail_run::FailRun;
pub use remove_participant::RemoveParticipant;
pub use rename_conversation::RenameConversation;
pub use send_message::SendMessage;
pub use start_agent::StartAgent;
pub use start_conversation::StartConversation;
pub use start_turn::StartTurn;

use crate::conversation::Conversation;
use crate::error::{Refusal, Rejection};

/// Characters of a name that a message quotes.
const QUOTED: usize = 64;

/// What a rule answers.
pub type Decision = Result<Vec<ConversationEvent>, Refusal>;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident $label:literal;)*) => {
        /// Everything that can be asked of a conversation.
        #[derive(Clone, Debug)]
        pub enum Command {
            $($(#[$doc])* $name($name),)*
        }

        impl Command {
            /// Its name as clients write it; an idempotency key counts within it.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $label,)* }
            }
        }

        /// The events that a command leads to in this state, or why none. Pure: the same arguments, the same answer.
        ///
        /// # Errors
        /// The state does not allow it.
        pub fn decide(state: &Conversation, command: &Command) -> Decision {
            match command { $(Command::$name(command) => command.decide(state),)* }
        }

        $(impl From<$name> for Command {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        })*
    };
}

commands! {
    /// Begin.
    StartConversation "startConversation";
    /// Another title.
    RenameConversation "renameConversation";
    /// No more messages.
    ArchiveConversation "archiveConversation";
    /// Another person takes part.
    AddParticipant "addParticipant";
    /// A person takes part no more.
    RemoveParticipant "removeParticipant";
    /// A person says something.
    SendMessage "sendMessage";
    /// A person wants an agent to run.
    StartAgent "startAgent";
    /// Answer the message that waits.
    StartTurn "startTurn";
    /// A worker takes a run.
    ClaimRun "claimRun";
    /// A run ended well.
    CompleteRun "completeRun";
    /// A run ended badly.
    FailRun "failRun";
}

fn reject(code: &'static str, message: impl Into<String>) -> Refusal {
    Rejection { code, message: message.into() }.into()
}

/// To everyone who does not take part, a conversation does not exist.
fn only_participants(state: &Conversation, person: PersonId) -> Result<(), Refusal> {
    state.has_participant(person).then_some(()).ok_or(Refusal::NotFound)
}

fn only_open(state: &Conversation) -> Result<(), Refusal> {
    if state.archived {
        return Err(reject(code::CONVERSATION_ARCHIVED, "the conversation is archived"));
    }
    Ok(())
}

fn only_short_titles(chars: usize) -> Result<(), Refusal> {
    let limit = rename_conversation::TITLE_LIMIT;
    if chars > limit {
        return Err(reject(code::TITLE_TOO_LONG, format!("a title may have {limit} characters, this one has {chars}")));
    }
    Ok(())
}

fn unknown_agent(name: &str) -> Refusal {
    let name: String = name.chars().take(QUOTED).collect();
    reject(code::UNKNOWN_AGENT, format!("there is no agent named {name:?}"))
}

impl Command {
    /// Whether it begins a conversation: there is nothing to load.
    pub(crate) fn begins(&self) -> bool {
        match self {
            Self::StartConversation(_) => true,
            Self::SendMessage(command) => command.start.is_some(),
            _ => false,
        }
    }
}
