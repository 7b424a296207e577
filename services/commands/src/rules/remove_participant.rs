//! Any participant may remove any, and leave; somebody always stays. From an archived conversation one can only leave.

use events::PersonId;
use events::event::ParticipantRemoved;

use super::{Decision, code, only_open, only_participants, reject};
use crate::conversation::Conversation;

/// Remove a person, or leave.
#[derive(Clone, Debug)]
pub struct RemoveParticipant {
    /// Who wants it.
    pub by: PersonId,
    /// Who goes; `None`: a name that nobody here ever had.
    pub person: Option<PersonId>,
}

impl RemoveParticipant {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        if self.person != Some(self.by) {
            only_open(state)?;
        }
        let Some(person) = self.person.filter(|person| state.has_participant(*person)) else {
            return Err(reject(code::NOT_A_PARTICIPANT, "this person does not take part"));
        };
        if state.participants.len() == 1 {
            return Err(reject(code::LAST_PARTICIPANT, "the last participant cannot be removed"));
        }
        Ok(vec![ParticipantRemoved { person }.into()])
    }
}
