//! A model wants tools: its call ends, and what it wants stands as tool calls, some of them over at once.

use chrono::{DateTime, Utc};
use events::event::{Approval, RejectionCause, Said, ToolCallFailed, ToolCallRejected, ToolCallRequested};
use events::{CallId, ConversationEvent, RunId, Sealed};

use super::{CallEnd, Decision, only_running};
use crate::conversation::Conversation;
use crate::error::Refusal;

/// End a model call with what it wants done.
#[derive(Clone, Debug)]
pub struct RequestTools {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub epoch: u32,
    /// The model call.
    pub call: CallEnd,
    /// What the model said.
    pub said: Said,
    /// What it wants, at least one.
    pub tools: Vec<NewToolCall>,
}

/// A tool call as a model wants it.
#[derive(Clone, Debug)]
pub struct NewToolCall {
    /// The call.
    pub call: CallId,
    /// The tool's name.
    pub tool: String,
    /// Field `arguments` of the call.
    pub arguments: Sealed,
    /// It changes something outside.
    pub writes: bool,
    /// It may be repeated.
    pub idempotent: bool,
    /// What settings and agent ask for; the conversation may ask for more.
    pub approval: Approval,
    /// Until when a person may decide.
    pub expires_at: DateTime<Utc>,
    /// It cannot be: there is no such tool, or not with these arguments. Field `error` of the call says why.
    pub impossible: Option<Sealed>,
}

impl RequestTools {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, run) = state.run(self.run).ok_or(Refusal::Stale)?;
        if run.epoch == 0 || run.epoch != self.epoch || self.tools.is_empty() {
            return Err(Refusal::Stale);
        }
        only_running(turn)?;
        let mut ended = super::end_open_call(run, Some(&self.call))?.ok_or(Refusal::Stale)?;
        ended.said = Some(self.said.clone());
        let mut events: Vec<ConversationEvent> = vec![ended.into()];
        events.extend(self.tools.iter().map(|tool| self.requested(tool, state.approval)));
        events.extend(self.tools.iter().filter_map(|tool| tool.over_at_once(state.approval)));
        Ok(events)
    }

    fn requested(&self, tool: &NewToolCall, least: Approval) -> ConversationEvent {
        let asks = tool.impossible.is_none() && tool.approval.max(least) == Approval::Ask;
        let expires_at = asks.then_some(tool.expires_at);
        ToolCallRequested {
            call: tool.call,
            run: self.run,
            model_call: self.call.call,
            tool: tool.tool.clone(),
            arguments: tool.arguments.clone(),
            needs_approval: expires_at.is_some(),
            expires_at,
            writes: tool.writes,
            idempotent: tool.idempotent,
        }
        .into()
    }
}

impl NewToolCall {
    fn over_at_once(&self, least: Approval) -> Option<ConversationEvent> {
        if let Some(error) = &self.impossible {
            return Some(ToolCallFailed { call: self.call, error: error.clone() }.into());
        }
        let is_denied = self.approval.max(least) == Approval::Deny;
        let cause = RejectionCause::Denied;
        is_denied.then(|| ToolCallRejected { call: self.call, cause, by: None, reason: None }.into())
    }
}

#[cfg(test)]
mod tests {
    use events::event::{AgentsConfigured, OverlapPolicy};

    use super::*;
    use crate::rules::code;
    use crate::tests::fixtures::{
        call_abandoned, claimed, facts, given, refusal, request_tools, sealed, sent, started, stop_requested, tool,
        tools_requested, turn_of,
    };

    fn running() -> Vec<ConversationEvent> {
        [started(), sent(1)].into_iter().chain(turn_of(1)).chain(claimed(1, 1)).collect()
    }

    #[test]
    fn the_model_call_ends_and_the_tools_stand() {
        let expected = facts(tools_requested(1, 1, &[1, 2], false, false));
        given(running()).when(request_tools(1, 1, &[1, 2], false, Approval::Auto).into()).then_expect_events(expected);
        let expected = facts(tools_requested(1, 1, &[1], true, true));
        let asks = request_tools(1, 1, &[1], true, Approval::Ask);
        given(running()).when(asks.into()).then_expect_events(expected);
    }

    #[test]
    fn what_cannot_be_is_over_at_once() {
        let denied = request_tools(1, 1, &[1], true, Approval::Deny);
        let events = given(running()).when(denied.into()).inspect_result().expect("accepted");
        let rejected = ToolCallRejected { call: tool(1), cause: RejectionCause::Denied, by: None, reason: None };
        assert_eq!(events.last().and_then(|fact| fact.0.clone()), Some(rejected.into()));
        let mut wrong = request_tools(1, 1, &[1], true, Approval::Ask);
        wrong.tools[0].impossible = Some(sealed("no such tool"));
        let events = given(running()).when(wrong.into()).inspect_result().expect("accepted");
        let failed = ToolCallFailed { call: tool(1), error: sealed("no such tool") };
        assert_eq!(events.last().and_then(|fact| fact.0.clone()), Some(failed.into()));
    }

    #[test]
    fn the_conversation_may_ask_for_more_than_the_settings_until_the_last_moment() {
        let strict = |approval| {
            let agents = vec!["assistant".into()];
            given(running()).and(facts([AgentsConfigured { agents, overlap: OverlapPolicy::Enqueue, approval }.into()]))
        };
        let asks = strict(Approval::Ask).when(request_tools(1, 1, &[1], true, Approval::Auto).into());
        asks.then_expect_events(facts(tools_requested(1, 1, &[1], true, true)));
        let denies = strict(Approval::Deny).when(request_tools(1, 1, &[1], true, Approval::Auto).into());
        let rejected = denies.inspect_result().expect("accepted").pop().and_then(|fact| fact.0);
        assert!(matches!(rejected, Some(ConversationEvent::ToolCallRejected(_))), "{rejected:?}");
    }

    #[test]
    fn a_worker_that_was_taken_for_dead_wants_nothing() {
        let taken_over = given(running()).and(facts([call_abandoned(1, 1)])).and(facts(claimed(1, 2)));
        assert_eq!(refusal(taken_over.when(request_tools(1, 1, &[1], false, Approval::Auto).into())), "STALE");
        let stopping = given(running()).and(facts([stop_requested(1)]));
        assert_eq!(
            refusal(stopping.when(request_tools(1, 1, &[1], false, Approval::Auto).into())),
            code::TURN_STOPPING
        );
    }
}
