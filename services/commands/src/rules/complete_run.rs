//! A run ended well: its message, itself and, if no other run is left, its turn, at once. Only the last epoch may say so.

use events::event::{AgentCompleted, MessageCompleted, TurnCompleted};
use events::{FinishReason, RunId, Sealed, Usage};

use super::Decision;
use crate::conversation::Conversation;
use crate::error::Refusal;

/// End a run well.
#[derive(Clone, Debug)]
pub struct CompleteRun {
    /// The run.
    pub run: RunId,
    /// The attempt that ends.
    pub epoch: u32,
    /// Field `text` of the message.
    pub text: Sealed,
    /// Field `reasoning` of the message.
    pub reasoning: Option<Sealed>,
    /// Field `chunks` of the message.
    pub chunks: Sealed,
    /// Why the model stopped.
    pub finish_reason: FinishReason,
    /// Tokens, where the provider counted them.
    pub usage: Option<Usage>,
}

impl CompleteRun {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, run) = state.run(self.run).ok_or(Refusal::Stale)?;
        if run.epoch == 0 || run.epoch != self.epoch {
            return Err(Refusal::Stale);
        }
        let message = MessageCompleted {
            message: run.message,
            run: run.run,
            epoch: run.epoch,
            started: run.started,
            text: self.text.clone(),
            reasoning: self.reasoning.clone(),
            chunks: self.chunks.clone(),
            finish_reason: self.finish_reason,
            usage: self.usage,
        };
        let mut events = vec![message.into(), AgentCompleted { run: run.run, usage: self.usage }.into()];
        if turn.runs.len() == 1 {
            events.push(TurnCompleted { turn: turn.turn }.into());
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixtures::{STARTER, started, turn, turn_completed, turn_of};
    use crate::tests::fixtures::{claimed, complete, completed, facts, given, message, person, planned, refusal, sent};

    /// `AgentStarted` stands at sequence 5.
    fn running() -> Vec<events::ConversationEvent> {
        let claim = [claimed(1, 1)];
        [started(), sent(1)].into_iter().chain(turn_of(1)).chain(claim).collect()
    }

    #[test]
    fn message_run_and_turn_end_together() {
        let [message, run] = completed(1, 1, 5);
        let expected = facts([message, run, turn_completed(1)]);
        given(running()).when(complete(1, 1).into()).then_expect_events(expected);
    }

    #[test]
    fn the_end_names_the_attempt_that_won() {
        let [message, run] = completed(1, 2, 6);
        let expected = facts([message, run, turn_completed(1)]);
        given(running()).and(facts([claimed(1, 2)])).when(complete(1, 2).into()).then_expect_events(expected);
    }

    #[test]
    fn an_old_attempt_is_refused() {
        let taken_over = given(running()).and(facts([claimed(1, 2)]));
        assert_eq!(refusal(taken_over.when(complete(1, 1).into())), "STALE");
    }

    #[test]
    fn nothing_ends_twice_or_before_it_began() {
        let [message, run] = completed(1, 1, 5);
        let ended = given(running()).and(facts([message, run, turn_completed(1)]));
        assert_eq!(refusal(ended.when(complete(1, 1).into())), "STALE");
        let unclaimed = given([started(), sent(1)].into_iter().chain(turn_of(1)));
        assert_eq!(refusal(unclaimed.when(complete(1, 0).into())), "STALE");
    }

    #[test]
    fn a_turn_ends_with_its_last_run() {
        let begun = events::event::TurnStarted { turn: turn(1), message: Some(message(1)), person: person(STARTER) };
        let events = [started(), sent(1), begun.into(), planned(1, &[1, 2]), claimed(1, 1)];
        given(events.clone()).when(complete(1, 1).into()).then_expect_events(facts(completed(1, 1, 5)));
        let left = given(events.into_iter().chain(completed(1, 1, 5)).chain([claimed(2, 1)]));
        let [message, run] = completed(2, 1, 8);
        left.when(complete(2, 1).into()).then_expect_events(facts([message, run, turn_completed(1)]));
    }
}
