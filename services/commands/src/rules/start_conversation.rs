//! A conversation begins. Its starter is its first participant.

use events::event::ConversationStarted;
use events::{PersonId, Sealed};

use super::{Decision, only_short_titles, unknown_agent};
use crate::conversation::Conversation;
use crate::error::Refusal;

/// Begin a conversation.
#[derive(Clone, Debug)]
pub struct StartConversation {
    /// Who begins it.
    pub starter: PersonId,
    /// Its title.
    pub title: Option<Sealed>,
    /// How many characters the title has.
    pub title_chars: usize,
    /// Names of the agents that shall answer; nobody answers where there is none.
    pub agents: Vec<String>,
    /// The first of these names that the catalog does not have.
    pub unknown_agent: Option<String>,
    /// JSON of the client's own.
    pub metadata: Option<Sealed>,
}

impl StartConversation {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        if state.sequence > 0 {
            return Err(Refusal::NotFound);
        }
        self.check()?;
        let started = ConversationStarted {
            starter: self.starter,
            title: self.title.clone(),
            agents: self.agents.clone(),
            metadata: self.metadata.clone(),
        };
        Ok(vec![started.into()])
    }

    /// What needs no state, so that it can be asked before a key is made to seal with.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if let Some(name) = &self.unknown_agent {
            return Err(unknown_agent(name));
        }
        only_short_titles(self.title_chars)
    }
}
