//! A participant says something in an open conversation, or begins one with it.

use events::event::MessageSent;
use events::{MessageId, PersonId, Sealed};

use super::{Decision, StartConversation, only_open, only_participants};
use crate::conversation::Conversation;

/// Say something.
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// Where it begins a conversation: that one's facts.
    pub start: Option<StartConversation>,
    /// The message.
    pub message: MessageId,
    /// Who says it.
    pub author: PersonId,
    /// The text.
    pub text: Sealed,
    /// Its length in bytes of UTF-8.
    pub text_bytes: u32,
    /// The message type, where it is not `text`.
    pub message_type: Option<Sealed>,
    /// JSON of the client's own.
    pub metadata: Option<Sealed>,
}

impl SendMessage {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let mut events = match &self.start {
            Some(start) => start.decide(state)?,
            None => {
                only_participants(state, self.author)?;
                only_open(state)?;
                Vec::new()
            }
        };
        let sent = MessageSent {
            message: self.message,
            author: self.author,
            text: self.text.clone(),
            text_bytes: self.text_bytes,
            message_type: self.message_type.clone(),
            metadata: self.metadata.clone(),
        };
        events.push(sent.into());
        Ok(events)
    }
}
