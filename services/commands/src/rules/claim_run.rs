//! A worker takes a run, or takes it over: only the next epoch may, so of several workers one wins.

use events::RunId;
use events::event::{AgentStarted, ContextReference};

use super::Decision;
use crate::conversation::Conversation;
use crate::error::Refusal;

/// Take a run.
#[derive(Clone, Debug)]
pub struct ClaimRun {
    /// The run.
    pub run: RunId,
    /// The attempt that begins: the last one and 1.
    pub epoch: u32,
    /// The model that it uses.
    pub model: String,
    /// What the model will be asked.
    pub context: ContextReference,
}

impl ClaimRun {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, run) = state.run(self.run).ok_or(Refusal::Stale)?;
        if run.epoch.checked_add(1) != Some(self.epoch) {
            return Err(Refusal::Stale);
        }
        let started = AgentStarted {
            run: run.run,
            turn: turn.turn,
            message: run.message,
            agent: run.agent.clone(),
            model: self.model.clone(),
            epoch: self.epoch,
            context: self.context.clone(),
        };
        Ok(vec![started.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixtures::{claim, claimed, facts, given, refusal, sent, started, turn_completed, turn_of};

    fn planned() -> Vec<events::ConversationEvent> {
        [started(), sent(1)].into_iter().chain(turn_of(1)).collect()
    }

    #[test]
    fn the_first_claim_has_epoch_1() {
        given(planned()).when(claim(1, 1).into()).then_expect_events(facts([claimed(1, 1)]));
        assert_eq!(refusal(given(planned()).when(claim(1, 0).into())), "STALE");
        assert_eq!(refusal(given(planned()).when(claim(1, 2).into())), "STALE");
    }

    #[test]
    fn a_takeover_has_the_next_epoch() {
        let running = || given(planned()).and(facts([claimed(1, 1)]));
        running().when(claim(1, 2).into()).then_expect_events(facts([claimed(1, 2)]));
        assert_eq!(refusal(running().when(claim(1, 1).into())), "STALE");
        assert_eq!(refusal(running().when(claim(1, 3).into())), "STALE");
    }

    #[test]
    fn what_is_over_or_unknown_cannot_be_claimed() {
        let over = given(planned()).and(facts([claimed(1, 1), turn_completed(1)]));
        assert_eq!(refusal(over.when(claim(1, 2).into())), "STALE");
        assert_eq!(refusal(given(planned()).when(claim(9, 1).into())), "STALE");
    }
}
