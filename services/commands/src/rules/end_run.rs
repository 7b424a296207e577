//! A run ends, for good: its message, its model call, itself, the tool call that asked for it and, if no other run is left, its
//! turn, at once. Only the last epoch may say so; epoch 0 where no worker could ever begin.

use events::event::{
    AgentCompleted, AgentFailed, MessageCompleted, MessageFailed, MessageStopped, Spent, ToolCallCompleted,
    ToolCallFailed, ToolCallUncertain,
};
use events::{CallId, ConversationEvent, FinishReason, RunId, Sealed};

use super::{CallEnd, Decision, ending};
use crate::conversation::{Conversation, Run, Stage, ToolStage, Turn};
use crate::error::Refusal;

/// End a run.
#[derive(Clone, Debug)]
pub struct EndRun {
    /// The run.
    pub run: RunId,
    /// The attempt that ends; 0: none ever began.
    pub epoch: u32,
    /// Its model call that has not ended yet.
    pub call: Option<CallEnd>,
    /// Field `text` of the message: what there is of it.
    pub text: Sealed,
    /// Field `reasoning` of the message.
    pub reasoning: Option<Sealed>,
    /// Field `calls` of the message.
    pub calls: Option<Sealed>,
    /// Field `chunks` of the message.
    pub chunks: Sealed,
    /// How it ends.
    pub end: RunEnd,
    /// Field `result` (or `error`, where the run failed) of the tool call that asked for the run.
    pub to_asker: Option<Sealed>,
    /// Field `reason` of the turn: why it failed, if it did.
    pub turn_reason: Sealed,
}

/// How a run ends.
#[derive(Clone, Debug)]
pub enum RunEnd {
    /// Well.
    Completed {
        /// Why the model stopped.
        finish_reason: FinishReason,
    },
    /// Badly.
    Failed {
        /// Field `reason` of the message: why, in words for a person.
        reason: Sealed,
        /// The same, as field `error` of the run.
        error: Sealed,
    },
    /// As a person wanted.
    Stopped,
}

impl EndRun {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, run) = state.run(self.run).ok_or(Refusal::Stale)?;
        let is_begun = run.epoch > 0 || !matches!(self.end, RunEnd::Completed { .. });
        if run.epoch != self.epoch || !is_begun {
            return Err(Refusal::Stale);
        }
        let ended = super::end_open_call(run, self.call.as_ref())?;
        let spent = ended.iter().fold(run.spent.clone(), |spent, ended| spent.plus(&ended.spent));
        let uncertain = unknown_writes(run).map(|call| ToolCallUncertain { call, error: None }.into());
        let mut events: Vec<ConversationEvent> = uncertain.collect();
        // First of all that end here: a reader gets the message's last chunks just before it.
        events.push(self.message(run, &spent));
        events.extend(ended.map(Into::into));
        match &self.end {
            RunEnd::Completed { .. } => events.push(AgentCompleted { run: run.run, spent }.into()),
            RunEnd::Failed { error, .. } => {
                events.push(AgentFailed { run: run.run, error: error.clone(), spent }.into());
            }
            RunEnd::Stopped => {}
        }
        events.extend(self.answer_to_asker(turn, run));
        if turn.is_last_open(run.run) {
            events.push(ending(turn, Some((run.run, self.stage())), &self.turn_reason));
        }
        Ok(events)
    }

    fn stage(&self) -> Stage {
        match self.end {
            RunEnd::Completed { .. } => Stage::Completed,
            RunEnd::Failed { .. } => Stage::Failed,
            RunEnd::Stopped => Stage::Stopped,
        }
    }

    fn message(&self, run: &Run, spent: &Spent) -> ConversationEvent {
        let (message, epoch, started, spent) = (run.message, run.epoch, run.started, spent.clone());
        let (text, reasoning) = (self.text.clone(), self.reasoning.clone());
        let (calls, chunks, run) = (self.calls.clone(), self.chunks.clone(), run.run);
        match &self.end {
            RunEnd::Completed { finish_reason } => {
                let finish_reason = *finish_reason;
                MessageCompleted { message, run, epoch, started, text, reasoning, calls, chunks, finish_reason, spent }
                    .into()
            }
            RunEnd::Failed { reason, .. } => {
                let reason = reason.clone();
                MessageFailed { message, run, epoch, started, text, reasoning, calls, chunks, reason, spent }.into()
            }
            RunEnd::Stopped => {
                MessageStopped { message, run, epoch, started, text, reasoning, calls, chunks, spent }.into()
            }
        }
    }

    /// The result of the tool call that asked for the run, unless that is over by itself.
    fn answer_to_asker(&self, turn: &Turn, run: &Run) -> Option<ConversationEvent> {
        let (call, answer) = (run.asked_by?, self.to_asker.clone()?);
        turn.tool(call).filter(|(_, tool)| tool.stage == ToolStage::Started)?;
        match self.end {
            RunEnd::Completed { .. } => {
                Some(ToolCallCompleted { call, result: answer, provenance: None, cached: false }.into())
            }
            RunEnd::Failed { .. } => Some(ToolCallFailed { call, error: answer }.into()),
            RunEnd::Stopped => None,
        }
    }
}

/// Tool calls that changed something outside, or did not: nobody will know any more.
fn unknown_writes(run: &Run) -> impl Iterator<Item = CallId> {
    let unknown = |tool: &&crate::conversation::ToolCall| tool.writes && tool.stage == ToolStage::Started;
    run.tools.iter().filter(unknown).map(|tool| tool.call)
}

#[cfg(test)]
mod tests {
    use events::event::{CallOutcome, PlannedRun, Spent};

    use super::*;
    use crate::tests::fixtures::{
        begun, call, call_abandoned, call_end, call_ended, claimed, claimed_in, complete, completed, facts, fail,
        failed, failed_unclaimed, given, message_stopped, plan, planned, planned_run, refusal, sealed, sent, spent,
        started, stop, stop_requested, tool, tools_requested, turn_completed, turn_failed, turn_of, turn_stopped,
    };

    /// `AgentStarted` stands at sequence 5, its `ModelCallStarted` at 6.
    fn running() -> Vec<ConversationEvent> {
        [started(), sent(1)].into_iter().chain(turn_of(1)).chain(claimed(1, 1)).collect()
    }

    fn with(
        events: impl IntoIterator<Item = ConversationEvent>,
        more: impl IntoIterator<Item = ConversationEvent>,
    ) -> Vec<ConversationEvent> {
        events.into_iter().chain(more).collect()
    }

    #[test]
    fn call_message_run_and_turn_end_together() {
        let expected = facts(with(completed(1, 1, 5), [turn_completed(1)]));
        given(running()).when(complete(1, 1).into()).then_expect_events(expected);
        let expected = facts(with(failed(1, 1, 5), [turn_failed(1)]));
        given(running()).when(fail(1, 1).into()).then_expect_events(expected);
    }

    #[test]
    fn the_end_names_the_attempt_that_won_and_counts_what_others_took() {
        let taken_over = with(with(running(), [call_abandoned(1, 1)]), claimed(1, 2));
        let events = given(taken_over.clone()).when(complete(1, 2).into()).inspect_result().expect("accepted");
        let Some(ConversationEvent::MessageCompleted(message)) = &events[0].0 else { panic!("{events:?}") };
        assert_eq!((message.epoch, message.started), (2, 8));
        assert_eq!(message.spent, Spent { estimated: true, ..spent() });
        assert_eq!(refusal(given(taken_over).when(complete(1, 1).into())), "STALE");
    }

    #[test]
    fn nothing_ends_twice_or_well_before_it_began() {
        let ended = with(with(running(), completed(1, 1, 5)), [turn_completed(1)]);
        assert_eq!(refusal(given(ended).when(complete(1, 1).into())), "STALE");
        let unclaimed = || given(with([started(), sent(1)], turn_of(1)));
        assert_eq!(refusal(unclaimed().when(complete(1, 0).into())), "STALE");
        let expected = with(failed_unclaimed(1, 0, 0, Spent::default()), [turn_failed(1)]);
        unclaimed().when(fail(1, 0).into()).then_expect_events(facts(expected));
    }

    #[test]
    fn an_end_of_another_call_is_stale() {
        let foreign = EndRun { call: Some(call_end(call(7, 7), CallOutcome::Completed)), ..complete(1, 1) };
        assert_eq!(refusal(given(running()).when(foreign.into())), "STALE");
    }

    #[test]
    fn a_turn_ends_with_its_last_open_run_as_its_last_step_did() {
        let two = [started(), sent(1), begun(1), planned(1, &[1, 2])];
        let first_failed = with(with(two, claimed(1, 1)), failed(1, 1, 5));
        let second = given(with(first_failed, claimed_in(1, 2, 1)));
        let expected = with(completed(2, 1, 10), [turn_completed(1)]);
        second.when(complete(2, 1).into()).then_expect_events(facts(expected));
    }

    #[test]
    fn one_that_fails_takes_no_other_with_it() {
        let two = [started(), sent(1), begun(1), planned(1, &[1, 2])];
        given(with(two, claimed(1, 1))).when(fail(1, 1).into()).then_expect_events(facts(failed(1, 1, 5)));
    }

    #[test]
    fn a_turn_with_more_to_plan_goes_on() {
        let open = with([started(), sent(1), begun(1), plan(1, vec![planned_run(1)], true)], claimed(1, 1));
        given(open).when(complete(1, 1).into()).then_expect_events(facts(completed(1, 1, 5)));
    }

    #[test]
    fn a_stopped_run_keeps_what_it_has_and_ends_the_turn() {
        let stopping = with(running(), [stop_requested(1)]);
        let events = given(stopping).when(stop(1, 1).into()).inspect_result().expect("accepted");
        let events: Vec<_> = events.into_iter().filter_map(|fact| fact.0).collect();
        let ended = call_ended(1, call(1, 1), CallOutcome::Stopped);
        assert_eq!(events, [message_stopped(1, 1, 5, spent()), ended, turn_stopped(1)]);
    }

    #[test]
    fn a_write_that_began_is_uncertain_when_its_run_ends_without_it() {
        let wrote = with(running(), tools_requested(1, 1, &[1], true, false));
        let began = events::event::ToolCallStarted { call: tool(1), epoch: 1 }.into();
        let command = EndRun { call: None, ..stop(1, 1) };
        let events =
            given(with(wrote, [began, stop_requested(1)])).when(command.into()).inspect_result().expect("accepted");
        let uncertain = ToolCallUncertain { call: tool(1), error: None }.into();
        assert_eq!(events[0].0, Some(uncertain));
    }

    #[test]
    fn an_answer_that_an_agent_asked_for_is_the_result_of_its_tool_call() {
        let asked = PlannedRun { asked_by: Some(tool(1)), ..planned_run(2) };
        let asking = with(running(), tools_requested(1, 1, &[1], false, false));
        let began = events::event::ToolCallStarted { call: tool(1), epoch: 1 }.into();
        let asking = with(with(asking, [began, plan(1, vec![asked], false)]), claimed_in(1, 2, 1));
        let command = EndRun { to_asker: Some(sealed("found")), ..complete(2, 1) };
        let events = given(asking).when(command.into()).inspect_result().expect("accepted");
        let result = ToolCallCompleted { call: tool(1), result: sealed("found"), provenance: None, cached: false };
        assert_eq!(events.last().and_then(|fact| fact.0.clone()), Some(result.into()));
    }

    #[test]
    fn an_old_attempt_is_refused_whatever_it_says() {
        let taken_over = with(running(), with([call_abandoned(1, 1)], claimed(1, 2)));
        assert_eq!(refusal(given(taken_over).when(fail(1, 1).into())), "STALE");
    }
}
