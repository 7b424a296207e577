//! Any participant may archive. No message comes in afterwards; those that wait are still answered, for they were accepted.

use events::PersonId;
use events::event::ConversationArchived;

use super::{Decision, only_open, only_participants};
use crate::conversation::Conversation;

/// Archive a conversation.
#[derive(Clone, Debug)]
pub struct ArchiveConversation {
    /// Who wants it.
    pub by: PersonId,
}

impl ArchiveConversation {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        only_open(state)?;
        Ok(vec![ConversationArchived {}.into()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;
    use crate::tests::fixtures::{GUEST, STARTER, STRANGER, added, archived, facts, given, person, refusal, sent};
    use crate::tests::fixtures::{started, turn_of};

    fn archive(by: u128) -> ArchiveConversation {
        ArchiveConversation { by: person(by) }
    }

    #[test]
    fn any_participant_archives() {
        given([started(), added(GUEST)]).when(archive(GUEST).into()).then_expect_events(facts([archived()]));
    }

    #[test]
    fn a_conversation_can_be_archived_while_a_turn_runs() {
        let [begun, planned] = turn_of(1);
        let running = given([started(), sent(1), begun, planned]);
        running.when(archive(STARTER).into()).then_expect_events(facts([archived()]));
    }

    #[test]
    fn it_is_archived_once() {
        let answer = given([started(), archived()]).when(archive(STARTER).into());
        assert_eq!(refusal(answer), code::CONVERSATION_ARCHIVED);
    }

    #[test]
    fn to_a_stranger_there_is_no_conversation() {
        assert_eq!(refusal(given([started()]).when(archive(STRANGER).into())), "NOT_FOUND");
    }
}
