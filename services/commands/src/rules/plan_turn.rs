//! A turn whose first steps have ended gets the next ones.

use events::event::{PlanKind, PlannedRun, TurnPlanned};
use events::{Sealed, TurnId};

use super::{Decision, code, reject};
use crate::conversation::Conversation;
use crate::error::Refusal;

/// Plan the next steps of a turn.
#[derive(Clone, Debug)]
pub struct PlanTurn {
    /// The turn.
    pub turn: TurnId,
    /// Who made the plan.
    pub kind: PlanKind,
    /// The steps.
    pub runs: Vec<PlannedRun>,
    /// Another plan follows.
    pub more: bool,
    /// Field `reason` of the turn.
    pub reason: Sealed,
}

impl PlanTurn {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let turn = state.turn.as_ref().filter(|turn| turn.turn == self.turn).ok_or(Refusal::Stale)?;
        if !turn.more || turn.stop.is_some() || turn.open_runs().next().is_some() {
            return Err(Refusal::Stale);
        }
        if self.runs.is_empty() {
            return Err(reject(code::EMPTY_PLAN, "a plan needs a run"));
        }
        let (turn, kind, runs) = (self.turn, self.kind, self.runs.clone());
        Ok(vec![TurnPlanned { turn, kind, runs, more: self.more, reason: self.reason.clone() }.into()])
    }
}
