//! Nobody decided about a tool call in time: it counts as rejected.

use chrono::{DateTime, Utc};
use events::CallId;
use events::event::{RejectionCause, ToolCallRejected};

use super::Decision;
use crate::conversation::{Conversation, ToolStage};
use crate::error::Refusal;

/// Give up waiting for a decision.
#[derive(Clone, Debug)]
pub struct ExpireTool {
    /// The call.
    pub call: CallId,
    /// Now.
    pub at: DateTime<Utc>,
}

impl ExpireTool {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (_, _, tool) = state.tool(self.call).ok_or(Refusal::Stale)?;
        match tool.stage {
            ToolStage::Waiting(Some(until)) if until <= self.at => {
                let cause = RejectionCause::Expired;
                Ok(vec![ToolCallRejected { call: self.call, cause, by: None, reason: None }.into()])
            }
            _ => Err(Refusal::Stale),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::tests::fixtures::{
        claimed, expiry, facts, given, refusal, sent, started, tool, tools_requested, turn_of,
    };

    #[test]
    fn who_waits_too_long_is_told_no() {
        let waiting = || {
            let running = [started(), sent(1)].into_iter().chain(turn_of(1)).chain(claimed(1, 1));
            given(running.chain(tools_requested(1, 1, &[1], true, true)))
        };
        let early = ExpireTool { call: tool(1), at: expiry() - TimeDelta::milliseconds(1) };
        assert_eq!(refusal(waiting().when(early.into())), "STALE");
        let expired = ToolCallRejected { call: tool(1), cause: RejectionCause::Expired, by: None, reason: None };
        waiting().when(ExpireTool { call: tool(1), at: expiry() }.into()).then_expect_events(facts([expired.into()]));
    }
}
