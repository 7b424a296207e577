//! A participant wants an agent to run on the conversation as it stands. Turns run one at a time, and messages that wait come first.

use events::event::{PlannedRun, TurnPlanned, TurnStarted};
use events::{MessageId, PersonId, RunId, Sealed, TurnId};

use super::{Decision, code, only_open, only_participants, reject, unknown_agent};
use crate::conversation::Conversation;

/// Run an agent without a new message.
#[derive(Clone, Debug)]
pub struct StartAgent {
    /// Who wants it.
    pub by: PersonId,
    /// The turn that it makes.
    pub turn: TurnId,
    /// The one run of that turn.
    pub run: RunId,
    /// The message that the run will write.
    pub message: MessageId,
    /// The agent's name.
    pub agent: String,
    /// The catalog has it.
    pub agent_known: bool,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Clients may choose that model.
    pub model_allowed: bool,
    /// What the agent is told for this run.
    pub instructions: Option<Sealed>,
    /// Field `reason` of the turn.
    pub reason: Sealed,
}

impl StartAgent {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        only_open(state)?;
        if !self.agent_known {
            return Err(unknown_agent(&self.agent));
        }
        if self.model.is_some() && !self.model_allowed {
            return Err(reject(code::MODEL_NOT_ALLOWED, "this model cannot be chosen"));
        }
        if state.turn.is_some() || !state.waiting.is_empty() {
            return Err(reject(code::TURN_RUNNING, "a turn is running"));
        }
        let run = PlannedRun {
            run: self.run,
            message: self.message,
            agent: self.agent.clone(),
            model: self.model.clone(),
            instructions: self.instructions.clone(),
        };
        let planned = TurnPlanned { turn: self.turn, runs: vec![run], reason: self.reason.clone() };
        Ok(vec![TurnStarted { turn: self.turn, message: None, person: self.by }.into(), planned.into()])
    }
}
