//! A worker takes a run, or takes it over: only the next epoch may, so of several workers one wins.

use events::RunId;
use events::event::{AgentStarted, ContextReference};

use super::Decision;
use crate::conversation::Conversation;
use crate::error::Refusal;

/// Take a run.
#[derive(Clone, Debug)]
pub struct ClaimRun {
    /// The run.
    pub run: RunId,
    /// The attempt that begins: the last one and 1.
    pub epoch: u32,
    /// The model that it uses.
    pub model: String,
    /// What the model will be asked.
    pub context: ContextReference,
}

impl ClaimRun {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let (turn, run) = state.run(self.run).ok_or(Refusal::Stale)?;
        if run.epoch.checked_add(1) != Some(self.epoch) {
            return Err(Refusal::Stale);
        }
        let started = AgentStarted {
            run: run.run,
            turn: turn.turn,
            message: run.message,
            agent: run.agent.clone(),
            model: self.model.clone(),
            epoch: self.epoch,
            context: self.context.clone(),
        };
        Ok(vec![started.into()])
    }
}
