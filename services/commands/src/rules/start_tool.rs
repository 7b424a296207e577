//! A worker takes a tool call: before any request leaves. What changed something outside, or did not, is never done again by itself.

use events::CallId;
use events::event::{ToolCallStarted, ToolCallUncertain};

use super::{Decision, only_running};
use crate::conversation::{Conversation, ToolStage};
use crate::error::Refusal;

/// Take a tool call.
#[derive(Clone, Debug)]
pub struct StartTool {
    /// The call.
    pub call: CallId,
    /// The attempt that begins: the last one and 1.
    pub epoch: u32,
}

impl StartTool {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, _, tool) = state.tool(self.call).ok_or(Refusal::Stale)?;
        if tool.epoch.checked_add(1) != Some(self.epoch) {
            return Err(Refusal::Stale);
        }
        only_running(turn)?;
        match tool.stage {
            ToolStage::Ready => Ok(vec![ToolCallStarted { call: self.call, epoch: self.epoch }.into()]),
            ToolStage::Started if tool.writes && !tool.idempotent => {
                Ok(vec![ToolCallUncertain { call: self.call, error: None }.into()])
            }
            ToolStage::Started => Ok(vec![ToolCallStarted { call: self.call, epoch: self.epoch }.into()]),
            ToolStage::Waiting(_) | ToolStage::Ended => Err(Refusal::Stale),
        }
    }
}

#[cfg(test)]
mod tests {
    use events::ConversationEvent;

    use super::*;
    use crate::tests::fixtures::{claimed, facts, given, refusal, sent, started, tool, tools_requested, turn_of};

    fn wanted(writes: bool, asks: bool) -> Vec<ConversationEvent> {
        let running = [started(), sent(1)].into_iter().chain(turn_of(1)).chain(claimed(1, 1));
        running.chain(tools_requested(1, 1, &[1], writes, asks)).collect()
    }

    fn take(epoch: u32) -> StartTool {
        StartTool { call: tool(1), epoch }
    }

    fn taken(epoch: u32) -> ConversationEvent {
        ToolCallStarted { call: tool(1), epoch }.into()
    }

    #[test]
    fn a_tool_that_may_run_is_taken_once() {
        given(wanted(true, false)).when(take(1).into()).then_expect_events(facts([taken(1)]));
        let running = given(wanted(true, false)).and(facts([taken(1)]));
        assert_eq!(refusal(running.when(take(1).into())), "STALE");
    }

    #[test]
    fn a_read_is_repeated_after_its_worker_died() {
        let running = given(wanted(false, false)).and(facts([taken(1)]));
        running.when(take(2).into()).then_expect_events(facts([taken(2)]));
    }

    #[test]
    fn a_write_is_not_repeated_but_uncertain() {
        let running = given(wanted(true, false)).and(facts([taken(1)]));
        let uncertain = ToolCallUncertain { call: tool(1), error: None };
        running.when(take(2).into()).then_expect_events(facts([uncertain.into()]));
    }

    #[test]
    fn a_tool_that_waits_for_a_person_does_not_run() {
        assert_eq!(refusal(given(wanted(true, true)).when(take(1).into())), "STALE");
    }
}
