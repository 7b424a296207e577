//! The end of a run: one append. A finished answer is not lost as long as the process lives.

use std::time::Duration;

use commands::rules::{CallEnd, Command, EndRun, RunEnd};
use commands::{Cause, Error as CommandError};
use events::event::CallOutcome;
use events::{ChunkTable, EventId, Kind, Sequence};

use super::ask::{Call, Ended};
use super::prepare::Question;
use super::salvage::Salvage;
use super::stream::Speech;
use super::{Job, Left};
use crate::Result;
use crate::answer::Parts;
use crate::chunks::Attempt;
use crate::model::Failure;

/// The longest pause between two tries of the append.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Tries of an append that fails for another reason than that the store does not answer.
const TRIES: u32 = 5;

/// What a run leaves behind.
pub(super) struct Remains {
    pub(super) said: Parts,
    pub(super) chunks: ChunkTable,
    pub(super) epoch: u32,
    pub(super) started: Sequence,
    pub(super) call: Option<CallEnd>,
}

impl Job<'_> {
    /// Ends a run whose model has answered, failed or been stopped.
    pub(super) async fn end_answer(
        &self,
        question: &Question,
        attempt: &Attempt,
        call: &Call,
        speech: Speech,
        chunks: ChunkTable,
        ended: Ended,
    ) -> Result<Left> {
        let ended = match ended {
            Ended::Finished(_) => question.checked(speech.text()).map_or(ended, Ended::Failed),
            other => other,
        };
        let outcome = match &ended {
            Ended::Finished(_) => CallOutcome::Completed,
            Ended::Failed(_) => CallOutcome::Failed,
            Ended::Stopped => CallOutcome::Stopped,
        };
        let call = Some(self.call_end(question, call, &speech, outcome));
        let (said, _) = speech.into_parts();
        let remains = Remains { said, chunks, epoch: attempt.epoch, started: attempt.started, call };
        self.end(remains, ended, attempt.cause).await
    }

    /// Fails a run that no attempt is to be made of (any more), with what its last attempt had published.
    pub(super) async fn fail(&self, failure: Failure) -> Result<Left> {
        tracing::info!(run = %self.run.run, epoch = self.run.epoch, class = failure.class, "a run fails before it begins");
        self.end(self.remains().await?, Ended::Failed(failure), self.work.cause).await
    }

    /// Ends a run that somebody has stopped and nobody works on.
    pub(super) async fn stop(&self) -> Result<Left> {
        self.end(self.remains().await?, Ended::Stopped, self.work.cause).await
    }

    async fn remains(&self) -> Result<Remains> {
        let Salvage { said, chunks, of_call } = self.salvage().await?;
        let call = self.run.open_call.as_ref().map(|open| self.abandoned(open, of_call));
        Ok(Remains { said, chunks, epoch: self.run.epoch, started: self.run.started, call })
    }

    pub(super) async fn end(&self, remains: Remains, ended: Ended, cause: EventId) -> Result<Left> {
        let (message, run) = (self.run.message, self.run.run);
        let seal = |name: &'static str, text: &str| self.key.seal(&self.field(message, name), text);
        let some = |name: &'static str, text: &str| (!text.is_empty()).then(|| seal(name, text));
        let (end, why) = match ended {
            Ended::Finished(finish_reason) => (RunEnd::Completed { finish_reason }, None),
            Ended::Failed(Failure { reason, .. }) => {
                let error = self.key.seal(&self.field(run, "error"), &reason);
                (RunEnd::Failed { reason: seal("reason", &reason), error }, Some(reason))
            }
            Ended::Stopped => (RunEnd::Stopped, None),
        };
        let to_asker = self.run.asked_by.map(|call| match &why {
            None => self
                .key
                .seal(&self.field(call, "result"), &serde_json::Value::from(remains.said.text.as_str()).to_string()),
            Some(reason) => self.key.seal(&self.field(call, "error"), reason),
        });
        let turn_reason = why.unwrap_or_else(|| "the last step of the plan failed".into());
        let command = EndRun {
            run,
            epoch: remains.epoch,
            call: remains.call,
            text: seal("text", &remains.said.text),
            reasoning: some("reasoning", &remains.said.reasoning),
            calls: some("calls", &remains.said.calls),
            chunks: seal("chunks", &remains.chunks.pack(remains.started)),
            end,
            to_asker,
            turn_reason: self.key.seal(&self.field(self.turn.turn, "reason"), &turn_reason),
        };
        match self.append(command.into(), cause).await? {
            Ok(()) => Ok(Left::Nothing),
            Err(error) => self.refused("end", error),
        }
    }

    /// Appends what a run has come to, however long the store takes to answer again: if another worker has taken the run over
    /// meanwhile, the store refuses.
    pub(super) async fn append(
        &self,
        command: Command,
        cause: EventId,
    ) -> Result<std::result::Result<(), CommandError>> {
        let (mut pause, mut tries) = (Duration::from_millis(100), 0);
        loop {
            let cause = Cause { event: cause, ..self.work.cause() };
            let error = match self.context.commands.react(self.work.conversation, command.clone(), cause).await {
                Ok(outcome) => {
                    self.settle(&outcome).await;
                    return Ok(Ok(()));
                }
                Err(error @ (CommandError::Stale | CommandError::Rejected(_))) => return Ok(Err(error)),
                Err(error) => error,
            };
            if error.kind() != Kind::Unavailable {
                tries += 1;
                if tries == TRIES {
                    return Err(error.into());
                }
            }
            tracing::warn!(%error, run = %self.run.run, "the end of a run has to wait for the store");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
