//! A worker takes a run, or takes it over: only the next epoch may, so of several workers one wins.

use events::RunId;
use events::event::{AgentStarted, CallPurpose};

use super::{CallEnd, Decision, NewCall, end_open_call, only_running, only_within};
use crate::conversation::Conversation;
use crate::error::Refusal;

/// Take a run.
#[derive(Clone, Debug)]
pub struct ClaimRun {
    /// The run.
    pub run: RunId,
    /// The attempt that begins: the last one and 1.
    pub epoch: u32,
    /// The model call of the attempt before, where its worker left one open: what is known of it.
    pub abandoned: Option<CallEnd>,
    /// The call that begins.
    pub call: NewCall,
}

impl ClaimRun {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, run) = state.run(self.run).ok_or(Refusal::Stale)?;
        if run.epoch.checked_add(1) != Some(self.epoch) {
            return Err(Refusal::Stale);
        }
        if run.awaits_tools() {
            return Err(Refusal::Stale);
        }
        only_running(turn)?;
        let abandoned = end_open_call(run, self.abandoned.as_ref())?;
        only_within(turn, run, abandoned.as_ref(), &self.call)?;
        let started = AgentStarted {
            run: run.run,
            turn: turn.turn,
            message: run.message,
            agent: run.agent.clone(),
            model: self.call.model.clone(),
            epoch: self.epoch,
            context: self.call.context.clone(),
        };
        let call = self.call.started(run.run, self.epoch, CallPurpose::Answer);
        Ok(abandoned.map(Into::into).into_iter().chain([started.into(), call.into()]).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::code;
    use crate::tests::fixtures::{
        begun, call_abandoned, claim, claimed, facts, given, refusal, sent, started, stop_requested, tools_requested,
        turn_completed, turn_of,
    };

    fn planned() -> Vec<events::ConversationEvent> {
        [started(), sent(1)].into_iter().chain(turn_of(1)).collect()
    }

    #[test]
    fn the_first_claim_has_epoch_1_and_begins_the_model_call() {
        given(planned()).when(claim(1, 1).into()).then_expect_events(facts(claimed(1, 1)));
        assert_eq!(refusal(given(planned()).when(claim(1, 0).into())), "STALE");
        assert_eq!(refusal(given(planned()).when(claim(1, 2).into())), "STALE");
    }

    #[test]
    fn a_takeover_has_the_next_epoch_and_ends_the_dead_worker_s_call() {
        let running = || given(planned()).and(facts(claimed(1, 1)));
        let expected = [call_abandoned(1, 1)].into_iter().chain(claimed(1, 2));
        running().when(claim(1, 2).into()).then_expect_events(facts(expected));
        assert_eq!(refusal(running().when(claim(1, 1).into())), "STALE");
        assert_eq!(refusal(running().when(claim(1, 3).into())), "STALE");
    }

    #[test]
    fn nobody_takes_a_run_that_waits_for_tools() {
        let waiting = given(planned()).and(facts(claimed(1, 1))).and(facts(tools_requested(1, 1, &[1], false, true)));
        assert_eq!(refusal(waiting.when(claim(1, 2).into())), "STALE");
    }

    #[test]
    fn what_is_over_or_unknown_cannot_be_claimed() {
        let over = given(planned()).and(facts(claimed(1, 1))).and(facts([turn_completed(1)]));
        assert_eq!(refusal(over.when(claim(1, 2).into())), "STALE");
        assert_eq!(refusal(given(planned()).when(claim(9, 1).into())), "STALE");
        assert_eq!(refusal(given([started(), sent(1), begun(1)]).when(claim(1, 1).into())), "STALE");
    }

    #[test]
    fn nothing_begins_in_a_turn_that_is_being_stopped() {
        let stopping = given(planned()).and(facts([stop_requested(1)]));
        assert_eq!(refusal(stopping.when(claim(1, 1).into())), code::TURN_STOPPING);
    }
}
