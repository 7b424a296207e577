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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixtures::started;
    use crate::tests::fixtures::{GUEST, STARTER, STRANGER, added, archived, facts, given, person, refusal, removed};

    fn add(by: u128, number: u128) -> AddParticipant {
        AddParticipant { by: person(by), person: person(number) }
    }

    #[test]
    fn any_participant_brings_another_in() {
        given([started()]).when(add(STARTER, GUEST).into()).then_expect_events(facts([added(GUEST)]));
        let with_guest = given([started(), added(GUEST)]);
        with_guest.when(add(GUEST, STRANGER).into()).then_expect_events(facts([added(STRANGER)]));
    }

    #[test]
    fn who_takes_part_cannot_be_added() {
        assert_eq!(refusal(given([started()]).when(add(STARTER, STARTER).into())), code::ALREADY_PARTICIPANT);
    }

    #[test]
    fn who_was_removed_can_come_back_but_not_by_themselves() {
        let events = || [started(), added(GUEST), removed(GUEST)];
        given(events()).when(add(STARTER, GUEST).into()).then_expect_events(facts([added(GUEST)]));
        assert_eq!(refusal(given(events()).when(add(GUEST, GUEST).into())), "NOT_FOUND");
    }

    #[test]
    fn nobody_joins_an_archived_conversation() {
        let answer = given([started(), archived()]).when(add(STARTER, GUEST).into());
        assert_eq!(refusal(answer), code::CONVERSATION_ARCHIVED);
    }
}
