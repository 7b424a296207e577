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
