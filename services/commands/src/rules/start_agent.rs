//! A participant wants an agent to run on the conversation as it stands. Turns run one at a time, and messages that wait come first.

use events::event::{PlanKind, PlannedRun, TurnPlanned, TurnStarted};
use events::{MessageId, PersonId, RunId, Sealed, TurnId};

use super::{Decision, code, only_open, only_participants, reject, unknown_agent};
use crate::conversation::Conversation;

/// Run an agent without a new message.
#[derive(Clone, Debug)]
pub struct StartAgent {
    /// Who wants it.
    pub by: PersonId,
    /// The turn that it makes.
    pub turn: TurnId,
    /// The one run of that turn.
    pub run: RunId,
    /// The message that the run will write.
    pub message: MessageId,
    /// The agent's name.
    pub agent: String,
    /// The catalog has it.
    pub agent_known: bool,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Clients may choose that model.
    pub model_allowed: bool,
    /// What the agent is told for this run.
    pub instructions: Option<Sealed>,
    /// Field `reason` of the turn.
    pub reason: Sealed,
}

impl StartAgent {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        only_open(state)?;
        if !self.agent_known {
            return Err(unknown_agent(&self.agent));
        }
        if self.model.is_some() && !self.model_allowed {
            return Err(reject(code::MODEL_NOT_ALLOWED, "this model cannot be chosen"));
        }
        if state.is_busy() {
            return Err(reject(code::TURN_RUNNING, "a turn is running"));
        }
        let run = PlannedRun {
            run: self.run,
            message: self.message,
            agent: self.agent.clone(),
            model: self.model.clone(),
            instructions: self.instructions.clone(),
            after: Vec::new(),
            asked_by: None,
        };
        let (turn, kind, reason) = (self.turn, PlanKind::Fixed, self.reason.clone());
        let started = TurnStarted { turn, message: None, person: self.by, regenerates: None };
        let planned = TurnPlanned { turn, kind, runs: vec![run], more: false, reason };
        Ok(vec![started.into(), planned.into()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixtures::{
        STARTER, STRANGER, archived, facts, given, person, planned, refusal, sealed, sent, sent_unanswered,
    };
    use crate::tests::fixtures::{start_agent, started, started_with, turn, turn_completed, turn_of};

    fn begun(number: u128) -> events::ConversationEvent {
        TurnStarted { turn: turn(number), message: None, person: person(STARTER), regenerates: None }.into()
    }

    #[test]
    fn an_agent_runs_without_a_message() {
        let expected = facts([begun(1), planned(1, &[1])]);
        given([started_with(&[])]).when(start_agent(1).into()).then_expect_events(expected);
    }

    #[test]
    fn model_and_instructions_are_in_the_plan() {
        let command = StartAgent {
            model: Some("openai/gpt-4o-mini".into()),
            instructions: Some(sealed("be brief")),
            ..start_agent(1)
        };
        let events = given([started()]).when(command.into()).inspect_result().expect("accepted");
        let Some(events::ConversationEvent::TurnPlanned(plan)) = &events[1].0 else { panic!("{events:?}") };
        assert_eq!(plan.runs[0].model.as_deref(), Some("openai/gpt-4o-mini"));
        assert_eq!(plan.runs[0].instructions, Some(sealed("be brief")));
    }

    #[test]
    fn turns_run_one_at_a_time_and_waiting_messages_come_first() {
        let waiting = given([started(), sent(1)]);
        assert_eq!(refusal(waiting.when(start_agent(2).into())), code::TURN_RUNNING);
        let [answered, plan] = turn_of(1);
        let running = given([started(), sent(1), answered.clone(), plan.clone()]);
        assert_eq!(refusal(running.when(start_agent(2).into())), code::TURN_RUNNING);
        let ended = given([started(), sent(1), answered, plan, turn_completed(1)]);
        ended.when(start_agent(2).into()).then_expect_events(facts([begun(2), planned(2, &[2])]));
    }

    #[test]
    fn a_message_that_nobody_answers_holds_no_agent_up() {
        let expected = facts([begun(2), planned(2, &[2])]);
        given([started_with(&[]), sent_unanswered(1)]).when(start_agent(2).into()).then_expect_events(expected);
    }

    #[test]
    fn agent_and_model_must_be_known() {
        let unknown = StartAgent { agent_known: false, ..start_agent(1) };
        assert_eq!(refusal(given([started()]).when(unknown.into())), code::UNKNOWN_AGENT);
        let forbidden = StartAgent { model: Some("m".into()), model_allowed: false, ..start_agent(1) };
        assert_eq!(refusal(given([started()]).when(forbidden.into())), code::MODEL_NOT_ALLOWED);
    }

    #[test]
    fn not_in_an_archived_conversation_nor_for_a_stranger() {
        let answer = given([started(), archived()]).when(start_agent(1).into());
        assert_eq!(refusal(answer), code::CONVERSATION_ARCHIVED);
        let stranger = StartAgent { by: person(STRANGER), agent_known: false, ..start_agent(1) };
        assert_eq!(refusal(given([started()]).when(stranger.into())), "NOT_FOUND");
    }
}
