//! Any participant may give an open conversation another title; the same title again is an event too.

use events::event::ConversationRenamed;
use events::{PersonId, Sealed};

use super::{Decision, only_open, only_participants, only_short_titles};
use crate::conversation::Conversation;

/// Characters that a title may have.
pub const TITLE_LIMIT: usize = 200;

/// Give a conversation another title.
#[derive(Clone, Debug)]
pub struct RenameConversation {
    /// Who wants it.
    pub by: PersonId,
    /// The title.
    pub title: Sealed,
    /// How many characters it has.
    pub title_chars: usize,
}

impl RenameConversation {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        only_open(state)?;
        only_short_titles(self.title_chars)?;
        Ok(vec![ConversationRenamed { title: self.title.clone() }.into()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;
    use crate::tests::fixtures::{STARTER, STRANGER, archived, facts, given, person, refusal, sealed, started};

    fn rename(by: u128, title_chars: usize) -> RenameConversation {
        RenameConversation { by: person(by), title: sealed("title"), title_chars }
    }

    #[test]
    fn a_participant_renames_also_to_the_same_title() {
        let renamed = || ConversationRenamed { title: sealed("title") }.into();
        given([started()]).when(rename(STARTER, 5).into()).then_expect_events(facts([renamed()]));
        given([started(), renamed()]).when(rename(STARTER, 5).into()).then_expect_events(facts([renamed()]));
    }

    #[test]
    fn a_title_over_its_limit_is_refused() {
        assert_eq!(refusal(given([started()]).when(rename(STARTER, 201).into())), code::TITLE_TOO_LONG);
    }

    #[test]
    fn an_archived_conversation_keeps_its_title() {
        let answer = given([started(), archived()]).when(rename(STARTER, 5).into());
        assert_eq!(refusal(answer), code::CONVERSATION_ARCHIVED);
    }

    #[test]
    fn to_a_stranger_there_is_no_conversation() {
        assert_eq!(refusal(given([started()]).when(rename(STRANGER, 201).into())), "NOT_FOUND");
        assert_eq!(refusal(given([]).when(rename(STARTER, 5).into())), "NOT_FOUND");
    }
}
