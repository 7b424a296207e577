//! A run ended well: its message, itself and, if no other run is left, its turn, at once. Only the last epoch may say so.

use events::event::{AgentCompleted, MessageCompleted, TurnCompleted};
use events::{FinishReason, RunId, Sealed, Usage};

use super::Decision;
use crate::conversation::Conversation;
use crate::error::Refusal;

/// End a run well.
#[derive(Clone, Debug)]
pub struct CompleteRun {
    /// The run.
    pub run: RunId,
    /// The attempt that ends.
    pub epoch: u32,
    /// Field `text` of the message.
    pub text: Sealed,
    /// Field `reasoning` of the message.
    pub reasoning: Option<Sealed>,
    /// Field `chunks` of the message.
    pub chunks: Sealed,
    /// Why the model stopped.
    pub finish_reason: FinishReason,
    /// Tokens, where the provider counted them.
    pub usage: Option<Usage>,
}

impl CompleteRun {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, run) = state.run(self.run).ok_or(Refusal::Stale)?;
        if run.epoch == 0 || run.epoch != self.epoch {
            return Err(Refusal::Stale);
        }
        let message = MessageCompleted {
            message: run.message,
            run: run.run,
            epoch: run.epoch,
            started: run.started,
            text: self.text.clone(),
            reasoning: self.reasoning.clone(),
            chunks: self.chunks.clone(),
            finish_reason: self.finish_reason,
            usage: self.usage,
        };
        let mut events = vec![message.into(), AgentCompleted { run: run.run, usage: self.usage }.into()];
        if turn.runs.len() == 1 {
            events.push(TurnCompleted { turn: turn.turn }.into());
        }
        Ok(events)
    }
}
