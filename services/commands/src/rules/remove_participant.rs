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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixtures::started;
    use crate::tests::fixtures::{GUEST, STARTER, STRANGER, added, archived, facts, given, person, refusal, removed};

    fn remove(by: u128, number: u128) -> RemoveParticipant {
        RemoveParticipant { by: person(by), person: Some(person(number)) }
    }

    #[test]
    fn any_participant_removes_any_the_starter_too() {
        let events = || [started(), added(GUEST)];
        given(events()).when(remove(STARTER, GUEST).into()).then_expect_events(facts([removed(GUEST)]));
        given(events()).when(remove(GUEST, STARTER).into()).then_expect_events(facts([removed(STARTER)]));
        given(events()).when(remove(GUEST, GUEST).into()).then_expect_events(facts([removed(GUEST)]));
    }

    #[test]
    fn somebody_stays() {
        assert_eq!(refusal(given([started()]).when(remove(STARTER, STARTER).into())), code::LAST_PARTICIPANT);
    }

    #[test]
    fn only_who_takes_part_can_be_removed() {
        assert_eq!(refusal(given([started()]).when(remove(STARTER, GUEST).into())), code::NOT_A_PARTICIPANT);
        let nobody = RemoveParticipant { by: person(STARTER), person: None };
        assert_eq!(refusal(given([started()]).when(nobody.into())), code::NOT_A_PARTICIPANT);
    }

    #[test]
    fn from_an_archived_conversation_one_can_only_leave() {
        let events = || [started(), added(GUEST), archived()];
        assert_eq!(refusal(given(events()).when(remove(STARTER, GUEST).into())), code::CONVERSATION_ARCHIVED);
        given(events()).when(remove(GUEST, GUEST).into()).then_expect_events(facts([removed(GUEST)]));
    }

    #[test]
    fn to_a_stranger_there_is_no_conversation() {
        assert_eq!(refusal(given([started()]).when(remove(STRANGER, STARTER).into())), "NOT_FOUND");
    }
}
