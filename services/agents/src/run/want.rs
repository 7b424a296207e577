//! A model wants tools: what it wants is checked, and stands as tool calls. The run goes on when these have ended.

use chrono::Utc;

use commands::rules::{Fate, NewToolCall, RequestTools};
use events::event::{Approval, CallOutcome, Said};
use events::{CallId, ChunkTable, Field, Sealed};

use super::ask::Call;
use super::prepare::Question;
use super::stream::Speech;
use super::{Job, Left};
use crate::Result;
use crate::chunks::Attempt;
use crate::prompt::ToolUse;

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
        let (_, wanted) = speech.into_parts();
        let seal = |name: &'static str, text: &str| self.key.seal(&self.field(call.id, name), text);
        let some = |name: &'static str, text: &str| (!text.is_empty()).then(|| seal(name, text));
        let said = Said {
            text: seal("text", &said.text),
            reasoning: some("reasoning", &said.reasoning),
            calls: some("calls", &said.calls),
            chunks: seal("chunks", &chunks.pack(attempt.started)),
        };
        let tools = wanted.iter().map(|wanted| self.tool_call(wanted)).collect();
        let command = RequestTools { run: self.run.run, epoch: attempt.epoch, call: end, said, tools };
        match self.append(command.into(), attempt.cause).await? {
            Ok(()) => Ok(Left::Nothing),
            Err(error) => self.refused("tools", error),
        }
    }

    /// A tool call as it will stand; what cannot be is told to the model.
    fn tool_call(&self, wanted: &ToolUse) -> NewToolCall {
        let call = CallId::generate();
        let seal = |name: &'static str, text: &str| self.key.seal(&self.field(call, name), text);
        let catalog = self.context.commands.catalog();
        let allowed = catalog.agent(&self.run.agent).filter(|profile| profile.tools.contains(&wanted.name));
        let tool = allowed.and_then(|profile| Some((profile, self.context.tools.get(&wanted.name)?)));
        let (arguments, writes, idempotent, fate) = match tool {
            None => {
                let error = format!("there is no tool named {:?}", wanted.name);
                (wanted.arguments.clone(), false, true, Fate::Impossible(seal("error", &error)))
            }
            Some((profile, tool)) => {
                let approval = tool.approval.max(profile.approval).max(self.loaded.state.approval);
                let (arguments, fate) = match self.context.tools.check(tool, &wanted.arguments) {
                    Ok(arguments) => (arguments.to_string(), self.fate(approval)),
                    Err(error) => (wanted.arguments.clone(), Fate::Impossible(seal("error", &error))),
                };
                (arguments, tool.writes(), tool.idempotent, fate)
            }
        };
        let arguments: Sealed = seal("arguments", &arguments);
        NewToolCall { call, tool: wanted.name.clone(), arguments, writes, idempotent, fate }
    }

    fn fate(&self, approval: Approval) -> Fate {
        match approval {
            Approval::Auto => Fate::Runs,
            Approval::Ask => Fate::Asks(Utc::now() + self.context.settings.approval_expiry),
            Approval::Deny => Fate::Denied,
        }
    }

    pub(super) fn field(&self, owner: impl std::fmt::Display, name: &'static str) -> Field<'_> {
        Field::new(&self.work.tenant, self.work.conversation, owner, name)
    }
}
