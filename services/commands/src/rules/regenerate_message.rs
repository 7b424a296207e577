//! A participant wants another answer to the last question. The old one stays, and later prompts hold the new one.

use events::event::{PlanKind, PlannedRun, TurnPlanned, TurnStarted};
use events::{MessageId, PersonId, RunId, Sealed, TurnId};

use super::{Decision, code, only_open, only_participants, reject};
use crate::conversation::Conversation;

/// Answer the last question again.
#[derive(Clone, Debug)]
pub struct RegenerateMessage {
    /// Who wants it.
    pub by: PersonId,
    /// The answer as it is.
    pub answer: MessageId,
    /// The turn that it makes.
    pub turn: TurnId,
    /// The one run of that turn.
    pub run: RunId,
    /// The message that the run will write.
    pub message: MessageId,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Clients may choose that model.
    pub model_allowed: bool,
    /// Field `reason` of the turn.
    pub reason: Sealed,
}

impl RegenerateMessage {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        only_open(state)?;
        if state.is_busy() {
            return Err(reject(code::TURN_RUNNING, "a turn is running"));
        }
        let answered = state.answered.as_ref().filter(|answered| answered.answer == self.answer);
        let Some(answered) = answered else {
            return Err(reject(code::NOT_LAST_ANSWER, "only the last answer can be made again"));
        };
        if self.model.is_some() && !self.model_allowed {
            return Err(reject(code::MODEL_NOT_ALLOWED, "this model cannot be chosen"));
        }
        let run = PlannedRun {
            run: self.run,
            message: self.message,
            agent: answered.agent.clone(),
            model: self.model.clone().or_else(|| answered.model.clone()),
            instructions: None,
            after: Vec::new(),
            asked_by: None,
        };
        let started = TurnStarted {
            turn: self.turn,
            message: answered.question,
            person: self.by,
            regenerates: Some(self.answer),
        };
        let planned = TurnPlanned {
            turn: self.turn,
            kind: PlanKind::Fixed,
            runs: vec![run],
            more: false,
            reason: self.reason.clone(),
        };
        Ok(vec![started.into(), planned.into()])
    }
}

#[cfg(test)]
mod tests {
    use events::ConversationEvent;

    use super::*;
    use crate::tests::fixtures::{
        STARTER, answer, claimed, completed, facts, given, message, person, refusal, run, sealed, sent,
        sent_unanswered, started, turn, turn_completed, turn_of,
    };

    fn answered() -> Vec<ConversationEvent> {
        let running = [started(), sent(1)].into_iter().chain(turn_of(1)).chain(claimed(1, 1));
        running.chain(completed(1, 1, 5)).chain([turn_completed(1)]).collect()
    }

    fn again(old: u128) -> RegenerateMessage {
        RegenerateMessage {
            by: person(STARTER),
            answer: answer(old),
            turn: turn(9),
            run: run(9),
            message: answer(9),
            model: None,
            model_allowed: true,
            reason: sealed("again"),
        }
    }

    #[test]
    fn the_last_question_is_answered_again_by_the_same_agent() {
        let events = given(answered()).when(again(1).into()).inspect_result().expect("accepted");
        let Some(ConversationEvent::TurnStarted(begun)) = &events[0].0 else { panic!("{events:?}") };
        assert_eq!((begun.message, begun.regenerates), (Some(message(1)), Some(answer(1))));
        let Some(ConversationEvent::TurnPlanned(plan)) = &events[1].0 else { panic!("{events:?}") };
        assert_eq!((plan.runs[0].message, plan.runs[0].agent.as_str()), (answer(9), "assistant"));
    }

    #[test]
    fn only_the_last_answer_and_only_in_silence() {
        assert_eq!(refusal(given(answered()).when(again(2).into())), code::NOT_LAST_ANSWER);
        let spoke = given(answered()).and(facts([sent_unanswered(2)]));
        assert_eq!(refusal(spoke.when(again(1).into())), code::NOT_LAST_ANSWER);
        let busy = given(answered()).and(facts([sent(2)]));
        assert_eq!(refusal(busy.when(again(1).into())), code::TURN_RUNNING);
        let forbidden = RegenerateMessage { model: Some("m".into()), model_allowed: false, ..again(1) };
        assert_eq!(refusal(given(answered()).when(forbidden.into())), code::MODEL_NOT_ALLOWED);
    }
}
