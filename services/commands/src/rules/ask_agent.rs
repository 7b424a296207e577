//! An agent asks another one by a tool call: a run is added to the turn, whose answer will be the call's result.

use events::event::{PlanKind, PlannedRun, ToolCallStarted, TurnPlanned};
use events::{CallId, Sealed};

use super::{Decision, only_running};
use crate::conversation::{Conversation, ToolStage};
use crate::error::Refusal;

/// Let another agent carry a tool call out.
#[derive(Clone, Debug)]
pub struct AskAgent {
    /// The call.
    pub call: CallId,
    /// The run that answers it.
    pub run: PlannedRun,
    /// Field `reason` of the turn.
    pub reason: Sealed,
}

impl AskAgent {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, _, tool) = state.tool(self.call).ok_or(Refusal::Stale)?;
        if tool.stage != ToolStage::Ready {
            return Err(Refusal::Stale);
        }
        only_running(turn)?;
        let run = PlannedRun { asked_by: Some(self.call), ..self.run.clone() };
        let planned = TurnPlanned {
            turn: turn.turn,
            kind: PlanKind::Asked,
            runs: vec![run],
            more: turn.more,
            reason: self.reason.clone(),
        };
        Ok(vec![ToolCallStarted { call: self.call, epoch: tool.epoch + 1 }.into(), planned.into()])
    }
}
