//! A turn ends that no run is left of: where no plan could follow, or somebody stopped it between two plans.

use events::{Sealed, TurnId};

use super::{Decision, ending};
use crate::conversation::Conversation;
use crate::error::Refusal;

/// End a turn without an open run.
#[derive(Clone, Debug)]
pub struct EndTurn {
    /// The turn.
    pub turn: TurnId,
    /// Field `reason` of the turn: why it failed, unless it was stopped.
    pub reason: Sealed,
}

impl EndTurn {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let turn = state.turn.as_ref().filter(|turn| turn.turn == self.turn).ok_or(Refusal::Stale)?;
        if turn.open_runs().next().is_some() {
            return Err(Refusal::Stale);
        }
        Ok(vec![ending(turn, None, &self.reason)])
    }
}
