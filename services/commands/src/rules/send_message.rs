//! A participant says something in an open conversation, or begins one with it.

use events::event::{MessageSent, OverlapPolicy, StopRequested};
use events::{ConversationEvent, MessageId, PersonId, Sealed, TurnId};

use super::{Decision, StartConversation, code, only_open, only_participants, reject};
use crate::conversation::Conversation;
use crate::error::Refusal;

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
    /// The turn that answers it.
    pub turn: TurnId,
    /// What becomes of it while a turn runs; left out: as the conversation has it.
    pub overlap: Option<OverlapPolicy>,
    /// The message type, where it is not `text`.
    pub message_type: Option<Sealed>,
    /// JSON of the client's own.
    pub metadata: Option<Sealed>,
    /// JSON Schema that the answer shall have.
    pub response_schema: Option<Sealed>,
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
        let turn = (!agents.is_empty()).then_some(self.turn);
        let steers = if turn.is_some() { self.make_way(state, &mut events)? } else { None };
        let sent = MessageSent {
            message: self.message,
            author: self.author,
            text: self.text.clone(),
            text_bytes: self.text_bytes,
            turn,
            steers,
            message_type: self.message_type.clone(),
            metadata: self.metadata.clone(),
            response_schema: self.response_schema.clone(),
        };
        events.push(sent.into());
        Ok(events)
    }

    /// What the message does to turns before it; answers the turn that shall read it.
    fn make_way(&self, state: &Conversation, events: &mut Vec<ConversationEvent>) -> Result<Option<TurnId>, Refusal> {
        let policy = self.overlap.unwrap_or(state.overlap);
        let running = state.turn.as_ref().filter(|turn| turn.stop.is_none());
        match (policy, running) {
            (OverlapPolicy::Reject, _) if state.is_busy() => Err(reject(code::TURN_RUNNING, "a turn is running")),
            (OverlapPolicy::Steer, Some(turn)) => Ok(Some(turn.turn)),
            (OverlapPolicy::Interrupt | OverlapPolicy::Rollback, Some(turn)) => {
                let roll_back = policy == OverlapPolicy::Rollback;
                events.push(StopRequested { turn: turn.turn, by: self.author, roll_back }.into());
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixtures::{
        GUEST, STARTER, STRANGER, added, archived, facts, given, person, refusal, removed, send, sent, sent_unanswered,
        started_with, steered, stop_requested, turn,
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

    fn under(policy: OverlapPolicy, number: u128) -> SendMessage {
        SendMessage { overlap: Some(policy), ..send(STARTER, number) }
    }

    #[test]
    fn while_a_turn_runs_the_policy_says_what_becomes_of_it() {
        let running = || given([started(), sent(1)].into_iter().chain(turn_of(1)));
        running().when(under(OverlapPolicy::Enqueue, 2).into()).then_expect_events(facts([sent(2)]));
        assert_eq!(refusal(running().when(under(OverlapPolicy::Reject, 2).into())), code::TURN_RUNNING);
        let interrupted = facts([stop_requested(1), sent(2)]);
        running().when(under(OverlapPolicy::Interrupt, 2).into()).then_expect_events(interrupted);
        running().when(under(OverlapPolicy::Steer, 2).into()).then_expect_events(facts([steered(2, 1)]));
        let undone = running().when(under(OverlapPolicy::Rollback, 2).into()).inspect_result().expect("accepted");
        let stop = StopRequested { turn: turn(1), by: person(STARTER), roll_back: true };
        assert_eq!(undone[0].0, Some(stop.into()));
    }

    #[test]
    fn a_turn_is_stopped_once_and_what_waits_is_left_in_peace() {
        let stopping = || given([started(), sent(1)].into_iter().chain(turn_of(1)).chain([stop_requested(1)]));
        stopping().when(under(OverlapPolicy::Interrupt, 2).into()).then_expect_events(facts([sent(2)]));
        stopping().when(under(OverlapPolicy::Steer, 2).into()).then_expect_events(facts([sent(2)]));
        let waiting = || given([started(), sent(1)]);
        waiting().when(under(OverlapPolicy::Interrupt, 2).into()).then_expect_events(facts([sent(2)]));
        assert_eq!(refusal(waiting().when(under(OverlapPolicy::Reject, 2).into())), code::TURN_RUNNING);
    }

    #[test]
    fn where_nobody_answers_no_policy_counts() {
        let quiet = given([started_with(&[])]).when(under(OverlapPolicy::Reject, 1).into());
        quiet.then_expect_events(facts([sent_unanswered(1)]));
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
