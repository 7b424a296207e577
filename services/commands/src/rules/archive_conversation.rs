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
