//! Saying something, and asking an agent to.

use super::titles::started_by;
use super::{Admission, SendMessage, StartAgent, limits};
use crate::{Caller, Commands, Outcome, Result, idempotency, rules, stamp};

/// The message type where none is given.
const PLAIN: &str = "text";
const REASON: &str = "A participant asked this agent to run.";

impl Commands {
    /// Says something, in a conversation or beginning one. Never answers that others were faster.
    ///
    /// # Errors
    /// [`CONVERSATION_ARCHIVED`](rules::code::CONVERSATION_ARCHIVED), [`TURN_RUNNING`](rules::code::TURN_RUNNING) under the
    /// policy that rejects; a text that is empty or over its limit.
    pub async fn send_message(&self, caller: &Caller, mut input: SendMessage) -> Result<Outcome> {
        limits::text("text", &input.text)?;
        let metadata = limits::metadata(input.metadata.as_ref())?;
        let response_schema = limits::schema(input.response_schema.as_ref())?;
        input.message_type = input.message_type.filter(|kind| kind != PLAIN);
        if let Some(kind) = &input.message_type {
            limits::name("messageType", kind)?;
        }
        let mark = idempotency::mark(&self.keyring, caller, "sendMessage", &input).await?;
        let admission = match input.conversation {
            Some(id) => self.admit(caller, id, mark.as_ref()).await?,
            None => self.admit_new(mark.as_ref()).await?,
        };
        if let Admission::Repeated(first) = admission {
            return Ok(first);
        }
        let start = input.conversation.is_none().then(|| started_by(self.catalog(), caller, None, None));
        let id = input.conversation.unwrap_or_else(stamp::conversation);
        let message = stamp::message();
        let sealer = self.sealer(caller, id, message).await?;
        let command = rules::SendMessage {
            start,
            message,
            author: caller.person,
            text: sealer.seal("text", &input.text),
            text_bytes: u32::try_from(input.text.len()).unwrap_or(u32::MAX),
            message_type: input.message_type.as_deref().map(|kind| sealer.seal("message_type", kind)),
            turn: stamp::turn(),
            overlap: input.overlap,
            metadata: metadata.as_deref().map(|json| sealer.seal("metadata", json)),
            response_schema: response_schema.as_deref().map(|json| sealer.seal("response_schema", json)),
        };
        self.ask(caller, id, command, mark).await
    }

    /// Runs an agent on a conversation as it stands. The ids of its run and message are in the outcome's `TurnPlanned`.
    ///
    /// # Errors
    /// [`TURN_RUNNING`](rules::code::TURN_RUNNING), [`UNKNOWN_AGENT`](rules::code::UNKNOWN_AGENT),
    /// [`MODEL_NOT_ALLOWED`](rules::code::MODEL_NOT_ALLOWED), [`CONVERSATION_ARCHIVED`](rules::code::CONVERSATION_ARCHIVED);
    /// instructions over the limit of a text.
    pub async fn start_agent(&self, caller: &Caller, input: StartAgent) -> Result<Outcome> {
        let instructions = input.instructions.as_deref().filter(|text| !text.is_empty());
        instructions.map_or(Ok(()), |text| limits::text("instructions", text))?;
        let id = input.conversation;
        let mark = idempotency::mark(&self.keyring, caller, "startAgent", &input).await?;
        if let Admission::Repeated(first) = self.admit(caller, id, mark.as_ref()).await? {
            return Ok(first);
        }
        let (turn, run) = (stamp::turn(), stamp::run());
        let of_turn = self.sealer(caller, id, turn).await?;
        let of_run = of_turn.of(run);
        let command = rules::StartAgent {
            by: caller.person,
            turn,
            run,
            message: stamp::message(),
            agent_known: self.catalog().agent(&input.agent).is_some(),
            model_allowed: input.model.as_ref().is_none_or(|model| self.catalog().allows(&input.agent, model)),
            instructions: instructions.map(|text| of_run.seal("instructions", text)),
            reason: of_turn.seal("reason", REASON),
            agent: input.agent,
            model: input.model,
        };
        self.ask(caller, id, command, mark).await
    }
}
