//! A tool call is over. Only the last attempt may say so.

use events::event::{ToolCallCompleted, ToolCallFailed, ToolCallUncertain};
use events::{CallId, Sealed};

use super::Decision;
use crate::conversation::{Conversation, ToolStage};
use crate::error::Refusal;

/// End a tool call.
#[derive(Clone, Debug)]
pub struct EndTool {
    /// The call.
    pub call: CallId,
    /// The attempt that ends.
    pub epoch: u32,
    /// How.
    pub end: ToolEnd,
}

/// How a tool call ends.
#[derive(Clone, Debug)]
pub enum ToolEnd {
    /// It gave a result.
    Completed {
        /// Field `result` of the call.
        result: Sealed,
        /// Field `provenance` of the call.
        provenance: Option<Sealed>,
        /// From our own cache.
        cached: bool,
    },
    /// It did not work. Field `error` of the call.
    Failed(Sealed),
    /// Nobody knows whether it took place. Field `error` of the call.
    Uncertain(Sealed),
}

impl EndTool {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (_, _, tool) = state.tool(self.call).ok_or(Refusal::Stale)?;
        // What cannot be has failed before it began.
        let is_impossible = tool.stage == ToolStage::Ready && matches!(self.end, ToolEnd::Failed(_));
        if (tool.stage != ToolStage::Started && !is_impossible) || tool.epoch != self.epoch {
            return Err(Refusal::Stale);
        }
        let call = self.call;
        Ok(vec![match self.end.clone() {
            ToolEnd::Completed { result, provenance, cached } => {
                ToolCallCompleted { call, result, provenance, cached }.into()
            }
            ToolEnd::Failed(error) => ToolCallFailed { call, error }.into(),
            ToolEnd::Uncertain(error) => ToolCallUncertain { call, error: Some(error) }.into(),
        }])
    }
}
