//! A run ended badly for good: its message, itself and, if no other run is left, its turn, at once. Only the last epoch may
//! say so; epoch 0 where no worker could ever begin.

use events::event::{AgentFailed, MessageFailed, TurnFailed};
use events::{RunId, Sealed, Usage};

use super::Decision;
use crate::conversation::Conversation;
use crate::error::Refusal;

/// End a run badly.
#[derive(Clone, Debug)]
pub struct FailRun {
    /// The run.
    pub run: RunId,
    /// The attempt that ends; 0: none ever began.
    pub epoch: u32,
    /// Field `text` of the message: what there is of it.
    pub text: Sealed,
    /// Field `reasoning` of the message.
    pub reasoning: Option<Sealed>,
    /// Field `chunks` of the message.
    pub chunks: Sealed,
    /// Field `reason` of the message: why, in words for a person.
    pub reason: Sealed,
    /// The same, as field `error` of the run.
    pub error: Sealed,
    /// The same, as field `reason` of the turn.
    pub turn_reason: Sealed,
    /// Tokens, where the provider counted them.
    pub usage: Option<Usage>,
}

impl FailRun {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, run) = state.run(self.run).ok_or(Refusal::Stale)?;
        if run.epoch != self.epoch {
            return Err(Refusal::Stale);
        }
        let message = MessageFailed {
            message: run.message,
            run: run.run,
            epoch: run.epoch,
            started: run.started,
            text: self.text.clone(),
            reasoning: self.reasoning.clone(),
            chunks: self.chunks.clone(),
            reason: self.reason.clone(),
            usage: self.usage,
        };
        let failed = AgentFailed { run: run.run, error: self.error.clone(), usage: self.usage };
        let mut events = vec![message.into(), failed.into()];
        if turn.runs.len() == 1 {
            events.push(TurnFailed { turn: turn.turn, reason: self.turn_reason.clone() }.into());
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixtures::{claimed, facts, fail, failed, given, refusal, sent, started, turn_failed, turn_of};

    fn planned() -> Vec<events::ConversationEvent> {
        [started(), sent(1)].into_iter().chain(turn_of(1)).collect()
    }

    #[test]
    fn message_run_and_turn_fail_together() {
        let [message, run] = failed(1, 1, 5);
        let expected = facts([message, run, turn_failed(1)]);
        given(planned()).and(facts([claimed(1, 1)])).when(fail(1, 1).into()).then_expect_events(expected);
    }

    #[test]
    fn a_run_that_no_worker_could_begin_fails_with_epoch_0() {
        let [message, run] = failed(1, 0, 0);
        let expected = facts([message, run, turn_failed(1)]);
        given(planned()).when(fail(1, 0).into()).then_expect_events(expected);
    }

    #[test]
    fn an_old_attempt_is_refused() {
        let running = || given(planned()).and(facts([claimed(1, 1)]));
        assert_eq!(refusal(running().when(fail(1, 0).into())), "STALE");
        assert_eq!(refusal(running().and(facts([claimed(1, 2)])).when(fail(1, 1).into())), "STALE");
    }

    #[test]
    fn nothing_fails_twice() {
        let ended = given(planned()).and(facts(failed(1, 0, 0))).and(facts([turn_failed(1)]));
        assert_eq!(refusal(ended.when(fail(1, 0).into())), "STALE");
    }
}
