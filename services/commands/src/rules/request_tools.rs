//! A model wants tools: its call ends, and what it wants stands as tool calls, some of them over at once.

use chrono::{DateTime, Utc};
use events::event::{RejectionCause, Said, ToolCallFailed, ToolCallRejected, ToolCallRequested};
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
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a tool call that a model wants.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It runs.
    Runs,
    /// A person decides, until then.
    Asks(DateTime<Utc>),
    /// The tool is denied here.
    Denied,
    /// It cannot be: there is no such tool, or not with these arguments. Field `error` of the call says why.
    Impossible(Sealed),
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
        events.extend(self.tools.iter().map(|tool| self.requested(tool)));
        events.extend(self.tools.iter().filter_map(NewToolCall::over_at_once));
        Ok(events)
    }

    fn requested(&self, tool: &NewToolCall) -> ConversationEvent {
        let expires_at = if let Fate::Asks(until) = tool.fate { Some(until) } else { None };
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
    fn over_at_once(&self) -> Option<ConversationEvent> {
        match &self.fate {
            Fate::Denied => {
                let cause = RejectionCause::Denied;
                Some(ToolCallRejected { call: self.call, cause, by: None, reason: None }.into())
            }
            Fate::Impossible(error) => Some(ToolCallFailed { call: self.call, error: error.clone() }.into()),
            Fate::Runs | Fate::Asks(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::code;
    use crate::tests::fixtures::{
        call_abandoned, claimed, expiry, facts, given, refusal, request_tools, sealed, sent, started, stop_requested,
        tool, tools_requested, turn_of,
    };

    fn running() -> Vec<ConversationEvent> {
        [started(), sent(1)].into_iter().chain(turn_of(1)).chain(claimed(1, 1)).collect()
    }

    #[test]
    fn the_model_call_ends_and_the_tools_stand() {
        let expected = facts(tools_requested(1, 1, &[1, 2], false, false));
        given(running()).when(request_tools(1, 1, &[1, 2], false, &Fate::Runs).into()).then_expect_events(expected);
        let expected = facts(tools_requested(1, 1, &[1], true, true));
        let asks = request_tools(1, 1, &[1], true, &Fate::Asks(expiry()));
        given(running()).when(asks.into()).then_expect_events(expected);
    }

    #[test]
    fn what_cannot_be_is_over_at_once() {
        let denied = request_tools(1, 1, &[1], true, &Fate::Denied);
        let events = given(running()).when(denied.into()).inspect_result().expect("accepted");
        let rejected = ToolCallRejected { call: tool(1), cause: RejectionCause::Denied, by: None, reason: None };
        assert_eq!(events.last().and_then(|fact| fact.0.clone()), Some(rejected.into()));
        let wrong = request_tools(1, 1, &[1], true, &Fate::Impossible(sealed("no such tool")));
        let events = given(running()).when(wrong.into()).inspect_result().expect("accepted");
        let failed = ToolCallFailed { call: tool(1), error: sealed("no such tool") };
        assert_eq!(events.last().and_then(|fact| fact.0.clone()), Some(failed.into()));
    }

    #[test]
    fn a_worker_that_was_taken_for_dead_wants_nothing() {
        let taken_over = given(running()).and(facts([call_abandoned(1, 1)])).and(facts(claimed(1, 2)));
        assert_eq!(refusal(taken_over.when(request_tools(1, 1, &[1], false, &Fate::Runs).into())), "STALE");
        let stopping = given(running()).and(facts([stop_requested(1)]));
        assert_eq!(refusal(stopping.when(request_tools(1, 1, &[1], false, &Fate::Runs).into())), code::TURN_STOPPING);
    }
}
