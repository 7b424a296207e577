//! A run asks a model again: after tools, or because the request before broke off. Of several workers one gets to ask.

use events::RunId;
use events::event::{CallPurpose, ModelCallStarted};

use super::{CallEnd, Decision, NewCall, only_running, only_within};
use crate::conversation::Conversation;
use crate::error::Refusal;

/// Ask a model again.
#[derive(Clone, Debug)]
pub struct BeginCall {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub epoch: u32,
    /// The call before, where it has not ended yet.
    pub before: Option<CallEnd>,
    /// The last model call that the asker knows of: how many went on with tools.
    pub answered: u32,
    /// The call that begins.
    pub call: NewCall,
}

impl BeginCall {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, run) = state.run(self.run).ok_or(Refusal::Stale)?;
        if run.epoch == 0 || run.epoch != self.epoch || run.answered != self.answered || run.awaits_tools() {
            return Err(Refusal::Stale);
        }
        if run.open_call.is_some() != self.before.is_some() {
            return Err(Refusal::Stale);
        }
        only_running(turn)?;
        let ended = super::end_open_call(run, self.before.as_ref())?;
        only_within(turn, run, ended.as_ref(), &self.call)?;
        let started = self.call.started(run.run, self.epoch, CallPurpose::Answer);
        Ok(ended.map(Into::into).into_iter().chain([started.into()]).collect())
    }
}

impl NewCall {
    pub(super) fn started(&self, run: RunId, epoch: u32, purpose: CallPurpose) -> ModelCallStarted {
        let Self { call, attempt, model, context, prompt_bytes, reserved, limits: _ } = self.clone();
        ModelCallStarted { call, run, epoch, attempt, model, purpose, context, prompt_bytes, reserved }
    }
}

#[cfg(test)]
mod tests {
    use events::ConversationEvent;
    use events::event::{CallOutcome, Cost, ToolCallFailed};

    use super::*;
    use crate::rules::{Limits, code};
    use crate::tests::fixtures::{
        call, call_end, call_ended, call_started, claimed, facts, given, new_call, refusal, run, sealed, sent, started,
        tool, tools_requested, turn_of,
    };

    fn running() -> Vec<ConversationEvent> {
        [started(), sent(1)].into_iter().chain(turn_of(1)).chain(claimed(1, 1)).collect()
    }

    fn again(answered: u32, before: Option<CallEnd>) -> BeginCall {
        BeginCall { run: run(1), epoch: 1, before, answered, call: new_call(call(1, 9)) }
    }

    #[test]
    fn a_request_that_broke_off_is_followed_by_another() {
        let retry = again(0, Some(call_end(call(1, 1), CallOutcome::Failed)));
        let expected = [call_ended(1, call(1, 1), CallOutcome::Failed), call_started(1, 1, call(1, 9), 1)];
        given(running()).when(retry.into()).then_expect_events(facts(expected));
        assert_eq!(refusal(given(running()).when(again(0, None).into())), "STALE");
    }

    fn dear(amount: &str) -> Cost {
        Cost { amount: amount.into(), currency: "EUR".into() }
    }

    #[test]
    fn a_call_that_could_pass_the_turn_s_limits_is_not_made() {
        let retry = |calls, cost: Option<&str>, most: Option<&str>| {
            let mut command = again(0, Some(call_end(call(1, 1), CallOutcome::Failed)));
            let cost = cost.map(|cost| cost.parse().expect("a decimal"));
            command.call.limits = Limits { calls, cost, tokens: None };
            command.call.reserved = most.map(dear);
            given(running()).when(command.into())
        };
        assert!(retry(2, Some("1"), Some("1")).inspect_result().is_ok());
        assert_eq!(refusal(retry(1, None, None)), code::BUDGET_EXCEEDED);
        assert_eq!(refusal(retry(2, Some("0.99"), Some("1"))), code::BUDGET_EXCEEDED);
        assert_eq!(refusal(retry(2, Some("1"), None)), code::BUDGET_EXCEEDED, "nobody knows what it costs");
    }

    #[test]
    fn a_call_whose_tokens_could_pass_the_turn_s_limit_is_not_made() {
        let retry = |tokens| {
            let mut command = again(0, Some(call_end(call(1, 1), CallOutcome::Failed)));
            command.call.limits.tokens = Some(tokens);
            given(running()).when(command.into())
        };
        // The failed call took 5; the next one may take 2 for its 7 bytes and the longest answer.
        assert!(retry(5 + 2 + 8192).inspect_result().is_ok());
        assert_eq!(refusal(retry(5 + 2 + 8191)), code::BUDGET_EXCEEDED);
    }

    #[test]
    fn a_run_goes_on_when_all_its_tools_are_done_and_one_worker_gets_to_ask() {
        let waiting = || given(running()).and(facts(tools_requested(1, 1, &[1], false, false)));
        assert_eq!(refusal(waiting().when(again(1, None).into())), "STALE");
        let done = ToolCallFailed { call: tool(1), error: sealed("no") };
        let expected = facts([call_started(1, 1, call(1, 9), 1)]);
        waiting().and(facts([done.clone().into()])).when(again(1, None).into()).then_expect_events(expected.clone());
        let asked = waiting().and(facts([done.into()])).and(expected);
        assert_eq!(refusal(asked.when(again(1, None).into())), "STALE");
    }
}
