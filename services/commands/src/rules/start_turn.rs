//! The oldest message that waits gets its turn, once, when no other turn runs; also in an archived conversation.

use events::event::{PlannedRun, TurnPlanned, TurnStarted};
use events::{MessageId, Sealed, TurnId};

use super::{Decision, code, reject};
use crate::conversation::Conversation;

/// Begin the turn that answers a message.
#[derive(Clone, Debug)]
pub struct StartTurn {
    /// The turn.
    pub turn: TurnId,
    /// The message.
    pub message: MessageId,
    /// Which agents run, in which order.
    pub runs: Vec<PlannedRun>,
    /// Field `reason` of the turn.
    pub reason: Sealed,
}

impl StartTurn {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        if state.turn.as_ref().is_some_and(|turn| turn.message == Some(self.message)) {
            return Err(reject(code::TURN_ALREADY_STARTED, "this message's turn runs already"));
        }
        let Some(place) = state.waiting.iter().position(|waiting| waiting.message == self.message) else {
            return Err(reject(code::NOT_WAITING, "this message waits for no turn"));
        };
        if state.turn.is_some() || place > 0 {
            return Err(reject(code::TURN_RUNNING, "another turn comes first"));
        }
        if self.runs.is_empty() {
            return Err(reject(code::EMPTY_PLAN, "a turn needs a run"));
        }
        let person = state.waiting[place].author;
        let started = TurnStarted { turn: self.turn, message: Some(self.message), person };
        let planned = TurnPlanned { turn: self.turn, runs: self.runs.clone(), reason: self.reason.clone() };
        Ok(vec![started.into(), planned.into()])
    }
}
