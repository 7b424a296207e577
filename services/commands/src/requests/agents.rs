//! Who answers; stopping them; another answer.

use super::{Admission, ConfigureAgents, RegenerateMessage, StopTurn};
use crate::{Caller, Commands, Outcome, Result, idempotency, rules, stamp};

const REASON: &str = "A participant wanted another answer.";

impl Commands {
    /// Says who answers from now on. A turn that runs goes on as it was planned.
    ///
    /// # Errors
    /// [`UNKNOWN_AGENT`](rules::code::UNKNOWN_AGENT), [`CONVERSATION_ARCHIVED`](rules::code::CONVERSATION_ARCHIVED).
    pub async fn configure_agents(&self, caller: &Caller, input: ConfigureAgents) -> Result<Outcome> {
        let id = input.conversation;
        let mark = idempotency::mark(&self.keyring, caller, "configureAgents", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        let (agents, unknown) = self.catalog().known(input.agents);
        let (overlap, approval) = (input.overlap, input.approval);
        let command = rules::ConfigureAgents { by: caller.person, agents, unknown, overlap, approval };
        self.ask(caller, id, command, mark).await
    }

    /// Stops a turn that runs or waits. One that runs ends as soon as its workers have heard of it.
    ///
    /// # Errors
    /// [`TURN_NOT_RUNNING`](rules::code::TURN_NOT_RUNNING), [`TURN_STOPPING`](rules::code::TURN_STOPPING).
    pub async fn stop_turn(&self, caller: &Caller, input: StopTurn) -> Result<Outcome> {
        let id = input.conversation;
        let mark = idempotency::mark(&self.keyring, caller, "stopTurn", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        self.ask(caller, id, rules::StopTurn { by: caller.person, turn: input.turn }, mark).await
    }

    /// Answers the last question again. The ids of the new run and message are in the outcome's `TurnPlanned`.
    ///
    /// # Errors
    /// [`NOT_LAST_ANSWER`](rules::code::NOT_LAST_ANSWER), [`TURN_RUNNING`](rules::code::TURN_RUNNING),
    /// [`MODEL_NOT_ALLOWED`](rules::code::MODEL_NOT_ALLOWED), [`CONVERSATION_ARCHIVED`](rules::code::CONVERSATION_ARCHIVED).
    pub async fn regenerate_message(&self, caller: &Caller, input: RegenerateMessage) -> Result<Outcome> {
        let id = input.conversation;
        let mark = idempotency::mark(&self.keyring, caller, "regenerateMessage", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        let turn = stamp::turn();
        let state = self.load(id).await?;
        let agent =
            state.as_ref().and_then(|loaded| Some(loaded.state.answered.as_ref()?.agent.as_str())).unwrap_or_default();
        let allowed = |model: &String| self.catalog().allows(agent, model);
        let command = rules::RegenerateMessage {
            by: caller.person,
            answer: input.message,
            turn,
            run: stamp::run(),
            message: stamp::message(),
            model_allowed: input.model.as_ref().is_none_or(allowed),
            model: input.model,
            reason: self.sealer(caller, id, turn).await?.seal("reason", REASON),
        };
        self.ask(caller, id, command, mark).await
    }
}
