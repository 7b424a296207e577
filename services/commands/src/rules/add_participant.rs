//! Any participant may bring another person into an open conversation, who then sees its past too.

use events::PersonId;
use events::event::ParticipantAdded;

use super::{Decision, code, only_open, only_participants, reject};
use crate::conversation::Conversation;

/// Bring a person in.
#[derive(Clone, Debug)]
pub struct AddParticipant {
    /// Who wants it.
    pub by: PersonId,
    /// Who comes in.
    pub person: PersonId,
}

impl AddParticipant {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        only_open(state)?;
        if state.has_participant(self.person) {
            return Err(reject(code::ALREADY_PARTICIPANT, "this person takes part already"));
        }
        Ok(vec![ParticipantAdded { person: self.person }.into()])
    }
}
