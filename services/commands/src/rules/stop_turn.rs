//! A participant stops a turn: one that runs ends with what it has, one that waits leaves the queue.

use events::event::{StopRequested, TurnStopped};
use events::{PersonId, TurnId};

use super::{Decision, code, only_participants, reject};
use crate::conversation::Conversation;

/// Stop a turn.
#[derive(Clone, Debug)]
pub struct StopTurn {
    /// Who wants it.
    pub by: PersonId,
    /// The turn; left out: whatever runs, else what would run next.
    pub turn: Option<TurnId>,
}

impl StopTurn {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        let wanted = |turn: TurnId| self.turn.is_none_or(|wanted| wanted == turn);
        if let Some(running) = state.turn.as_ref().filter(|turn| wanted(turn.turn)) {
            if running.stop.is_some() {
                return Err(reject(code::TURN_STOPPING, "the turn is being stopped already"));
            }
            return Ok(vec![StopRequested { turn: running.turn, by: self.by, roll_back: false }.into()]);
        }
        let waiting = state.waiting.iter().find(|waiting| wanted(waiting.turn));
        let Some(waiting) = waiting else {
            return Err(reject(code::TURN_NOT_RUNNING, "no such turn runs or waits"));
        };
        Ok(vec![TurnStopped { turn: waiting.turn, by: self.by, rolled_back: false }.into()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixtures::{
        STARTER, STRANGER, facts, given, person, refusal, sent, started, stop_requested, turn, turn_of, turn_stopped,
    };

    fn stop(turn: Option<TurnId>) -> StopTurn {
        StopTurn { by: person(STARTER), turn }
    }

    #[test]
    fn what_runs_is_asked_to_stop_once() {
        let running = || given([started(), sent(1)].into_iter().chain(turn_of(1)));
        running().when(stop(None).into()).then_expect_events(facts([stop_requested(1)]));
        running().when(stop(Some(turn(1))).into()).then_expect_events(facts([stop_requested(1)]));
        let stopping = running().and(facts([stop_requested(1)]));
        assert_eq!(refusal(stopping.when(stop(None).into())), code::TURN_STOPPING);
    }

    #[test]
    fn what_waits_leaves_the_queue() {
        let queued = || given([started(), sent(1)].into_iter().chain(turn_of(1)).chain([sent(2)]));
        queued().when(stop(Some(turn(2))).into()).then_expect_events(facts([turn_stopped(2)]));
        let gone = queued().and(facts([turn_stopped(2)]));
        assert_eq!(refusal(gone.when(stop(Some(turn(2))).into())), code::TURN_NOT_RUNNING);
    }

    #[test]
    fn nothing_runs_and_strangers_see_nothing() {
        assert_eq!(refusal(given([started()]).when(stop(None).into())), code::TURN_NOT_RUNNING);
        let stranger = StopTurn { by: person(STRANGER), turn: None };
        assert_eq!(refusal(given([started(), sent(1)]).when(stranger.into())), "NOT_FOUND");
    }
}
