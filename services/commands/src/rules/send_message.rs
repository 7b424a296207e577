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
        let agents = self.start.as_ref().map_or(&state.agents, |start| &start.agents);
        let sent = MessageSent {
            message: self.message,
            author: self.author,
            text: self.text.clone(),
            text_bytes: self.text_bytes,
            awaits_turn: !agents.is_empty(),
            message_type: self.message_type.clone(),
            metadata: self.metadata.clone(),
        };
        events.push(sent.into());
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;
    use crate::tests::fixtures::{
        GUEST, STARTER, STRANGER, added, archived, facts, given, refusal, removed, send, sent, sent_unanswered,
        started_with,
    };
    use crate::tests::fixtures::{sent_by, start, started, turn_of};

    #[test]
    fn a_participant_says_something_also_while_a_turn_runs() {
        given([started()]).when(send(STARTER, 1).into()).then_expect_events(facts([sent(1)]));
        let [begun, planned] = turn_of(1);
        let running = given([started(), added(GUEST), sent(1), begun, planned]);
        running.when(send(GUEST, 2).into()).then_expect_events(facts([sent_by(GUEST, 2)]));
    }

    #[test]
    fn where_nobody_answers_a_message_awaits_no_turn() {
        given([started_with(&[])]).when(send(STARTER, 1).into()).then_expect_events(facts([sent_unanswered(1)]));
    }

    #[test]
    fn a_message_can_begin_a_conversation() {
        let first = SendMessage { start: Some(start()), ..send(STARTER, 1) };
        given([]).when(first.into()).then_expect_events(facts([started(), sent(1)]));
    }

    #[test]
    fn an_archived_conversation_takes_no_message() {
        let answer = given([started(), archived()]).when(send(STARTER, 1).into());
        assert_eq!(refusal(answer), code::CONVERSATION_ARCHIVED);
    }

    #[test]
    fn to_who_does_not_take_part_there_is_no_conversation() {
        assert_eq!(refusal(given([started()]).when(send(STRANGER, 1).into())), "NOT_FOUND");
        let left = given([started(), added(GUEST), removed(GUEST)]);
        assert_eq!(refusal(left.when(send(GUEST, 1).into())), "NOT_FOUND");
        assert_eq!(refusal(given([]).when(send(STARTER, 1).into())), "NOT_FOUND");
    }
}
