//! The oldest message that waits gets its turn, once, when no other turn runs; also in an archived conversation.

use events::event::{PlanKind, PlannedRun, TurnPlanned, TurnStarted};
use events::{Sealed, TurnId};

use super::{Decision, code, reject};
use crate::conversation::Conversation;

/// Begin the turn that answers a message.
#[derive(Clone, Debug)]
pub struct StartTurn {
    /// The turn.
    pub turn: TurnId,
    /// Who made the plan.
    pub kind: PlanKind,
    /// Which agents run, in which order.
    pub runs: Vec<PlannedRun>,
    /// Another plan follows.
    pub more: bool,
    /// Field `reason` of the turn.
    pub reason: Sealed,
}

impl StartTurn {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        if state.turn.as_ref().is_some_and(|turn| turn.turn == self.turn) {
            return Err(reject(code::TURN_ALREADY_STARTED, "this turn runs already"));
        }
        let Some(place) = state.waiting.iter().position(|waiting| waiting.turn == self.turn) else {
            return Err(reject(code::NOT_WAITING, "this turn does not wait"));
        };
        if state.turn.is_some() || place > 0 {
            return Err(reject(code::TURN_RUNNING, "another turn comes first"));
        }
        if self.runs.is_empty() {
            return Err(reject(code::EMPTY_PLAN, "a turn needs a run"));
        }
        let (turn, waiting) = (self.turn, &state.waiting[place]);
        let message = Some(waiting.message);
        let started = TurnStarted { turn, message, person: waiting.author, regenerates: None };
        let (kind, runs, more) = (self.kind, self.runs.clone(), self.more);
        let planned = TurnPlanned { turn, kind, runs, more, reason: self.reason.clone() };
        Ok(vec![started.into(), planned.into()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixtures::{
        archived, facts, given, refusal, sent, sent_unanswered, start_turn, started, started_with,
    };
    use crate::tests::fixtures::{turn_completed, turn_of};

    #[test]
    fn the_message_that_waits_gets_its_turn() {
        given([started(), sent(1)]).when(start_turn(1).into()).then_expect_events(facts(turn_of(1)));
    }

    #[test]
    fn a_message_that_was_accepted_is_answered_also_in_an_archived_conversation() {
        given([started(), sent(1), archived()]).when(start_turn(1).into()).then_expect_events(facts(turn_of(1)));
    }

    #[test]
    fn another_worker_may_have_started_it() {
        let [begun, planned] = turn_of(1);
        let running = given([started(), sent(1), begun.clone(), planned.clone()]);
        assert_eq!(refusal(running.when(start_turn(1).into())), code::TURN_ALREADY_STARTED);
        let ended = given([started(), sent(1), begun, planned, turn_completed(1)]);
        assert_eq!(refusal(ended.when(start_turn(1).into())), code::NOT_WAITING);
    }

    #[test]
    fn messages_are_answered_one_after_the_other() {
        let waiting = given([started(), sent(1), sent(2)]);
        assert_eq!(refusal(waiting.when(start_turn(2).into())), code::TURN_RUNNING);
        let [begun, planned] = turn_of(1);
        let running = given([started(), sent(1), sent(2), begun.clone(), planned.clone()]);
        assert_eq!(refusal(running.when(start_turn(2).into())), code::TURN_RUNNING);
        let ended = given([started(), sent(1), sent(2), begun, planned, turn_completed(1)]);
        ended.when(start_turn(2).into()).then_expect_events(facts(turn_of(2)));
    }

    #[test]
    fn where_nobody_answers_no_message_waits() {
        let answer = given([started_with(&[]), sent_unanswered(1)]).when(start_turn(1).into());
        assert_eq!(refusal(answer), code::NOT_WAITING);
    }

    #[test]
    fn a_plan_has_a_run() {
        let empty = StartTurn { runs: Vec::new(), ..start_turn(1) };
        assert_eq!(refusal(given([started(), sent(1)]).when(empty.into())), code::EMPTY_PLAN);
    }
}
