//! A model wants tools: what it wants is checked, and stands as tool calls. The run goes on when these have ended.

use chrono::Utc;

use commands::Error as CommandError;
use commands::rules::{NewToolCall, RequestTools, code};
use events::event::{Approval, CallOutcome, Said};
use events::{CallId, ChunkTable, Field};

use super::ask::{Call, Ended};
use super::end::Remains;
use super::prepare::Question;
use super::stream::Speech;
use super::{Job, Left};
use crate::Result;
use crate::chunks::Attempt;
use crate::prompt::ToolUse;
use crate::tool::Effect;

/// What stands for a name that is none.
const UNNAMED: &str = "unknown";
/// Characters of a name.
const QUOTED: usize = 64;
/// Bytes of arguments that no tool takes.
const ARGUMENTS: usize = 64 << 10;

impl Job<'_> {
    /// Ends the call with what it wants done.
    pub(super) async fn want_tools(
        &self,
        question: &Question,
        attempt: &Attempt,
        call: &Call,
        speech: Speech,
        chunks: ChunkTable,
    ) -> Result<Left> {
        let end = self.call_end(question, call, &speech, CallOutcome::Completed);
        let said = speech.said_now();
        let (all, wanted) = speech.into_parts();
        let seal = |name: &'static str, text: &str| self.key.seal(&self.field(call.id, name), text);
        let some = |name: &'static str, text: &str| (!text.is_empty()).then(|| seal(name, text));
        let said = Said {
            text: seal("text", &said.text),
            reasoning: some("reasoning", &said.reasoning),
            calls: some("calls", &said.calls),
            chunks: seal("chunks", &chunks.pack(attempt.started)),
        };
        let tools = wanted.iter().map(|wanted| self.tool_call(wanted)).collect();
        let command = RequestTools { run: self.run.run, epoch: attempt.epoch, call: end.clone(), said, tools };
        match self.context.append(self.work, command.into(), attempt.cause).await? {
            Ok(()) => Ok(Left::Nothing),
            // Somebody stopped the turn at the last moment: what the call took is known, and the run ends with it.
            Err(CommandError::Rejected(rejection)) if rejection.code == code::TURN_STOPPING => {
                let remains =
                    Remains { said: all, chunks, epoch: attempt.epoch, started: attempt.started, call: Some(end) };
                self.end(remains, Ended::Stopped, attempt.cause).await
            }
            Err(error) => self.refused("tools", error),
        }
    }

    /// A tool call as it will stand; what cannot be is told to the model. Its name is kept only where it can be one: it stands in
    /// clear, and a model may write anything.
    fn tool_call(&self, wanted: &ToolUse) -> NewToolCall {
        let call = CallId::generate();
        let seal = |name: &'static str, text: &str| self.key.seal(&self.field(call, name), text);
        let catalog = self.context.commands.catalog();
        let allowed = catalog.agent(&self.run.agent).filter(|profile| profile.tools.contains(&wanted.name));
        let tool = allowed.and_then(|profile| Some((profile, self.context.tools.get(&wanted.name)?)));
        let mut new = NewToolCall {
            call,
            tool: if is_name(&wanted.name) { wanted.name.clone() } else { UNNAMED.into() },
            arguments: seal("arguments", shortened(&wanted.arguments)),
            writes: false,
            idempotent: true,
            approval: Approval::Auto,
            expires_at: Utc::now() + self.context.settings.approval_expiry,
            impossible: None,
        };
        let Some((profile, tool)) = tool else {
            let name: String = wanted.name.chars().take(QUOTED).collect();
            new.impossible = Some(seal("error", &format!("there is no tool named {name:?}")));
            return new;
        };
        (new.writes, new.idempotent) = (tool.effect == Effect::Write, tool.idempotent);
        new.approval = tool.approval.max(profile.approval);
        match self.context.tools.check(tool, &wanted.arguments) {
            Ok(arguments) => new.arguments = seal("arguments", &arguments.to_string()),
            Err(error) => new.impossible = Some(seal("error", &error)),
        }
        new
    }

    pub(super) fn field(&self, owner: impl std::fmt::Display, name: &'static str) -> Field<'_> {
        Field::new(&self.work.tenant, self.work.conversation, owner, name)
    }
}

/// Whether a tool could be called so.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !name.is_empty() && name.len() <= QUOTED && name.chars().all(fits)
}

/// Arguments that no tool takes are kept as far as a record has room for them.
fn shortened(arguments: &str) -> &str {
    let mut ends = (0..=arguments.len().min(ARGUMENTS)).rev();
    &arguments[..ends.find(|end| arguments.is_char_boundary(*end)).unwrap_or_default()]
}
