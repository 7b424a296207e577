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

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;
    use crate::tests::fixtures::{facts, given, refusal, start, started, started_with};

    #[test]
    fn a_conversation_begins_with_its_starter_and_its_agents() {
        given([]).when(start().into()).then_expect_events(facts([started()]));
        let alone = StartConversation { agents: Vec::new(), ..start() };
        given([]).when(alone.into()).then_expect_events(facts([started_with(&[])]));
    }

    #[test]
    fn an_agent_that_the_catalog_does_not_have_is_refused() {
        let unknown = StartConversation { unknown_agent: Some("oracle".into()), ..start() };
        assert_eq!(refusal(given([]).when(unknown.into())), code::UNKNOWN_AGENT);
    }

    #[test]
    fn a_title_has_200_characters_at_most() {
        let fits = StartConversation { title_chars: 200, ..start() };
        given([]).when(fits.into()).then_expect_events(facts([started()]));
        let long = StartConversation { title_chars: 201, ..start() };
        assert_eq!(refusal(given([]).when(long.into())), code::TITLE_TOO_LONG);
    }

    #[test]
    fn a_conversation_begins_once() {
        assert_eq!(refusal(given([started()]).when(start().into())), "NOT_FOUND");
    }
}
