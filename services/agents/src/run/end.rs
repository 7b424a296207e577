//! The end of a run: one append. A finished answer is not lost as long as the process lives.

use std::time::Duration;

use commands::rules::Command;
use commands::{Cause, CompleteRun, Error as CommandError, FailRun};
use events::{ChunkTable, EventId, Field, Kind, Sequence};

use super::stream::Spoken;
use super::{Job, Left};
use crate::Result;
use crate::chunks::Attempt;
use crate::model::Failure;

/// The longest pause between two tries of the append.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Tries of an append that fails for another reason than that the store does not answer.
const TRIES: u32 = 5;

/// How a run ends.
pub(super) struct Ending {
    command: Command,
    /// How many chunks the message was made of.
    pub(super) chunks: usize,
}

impl Ending {
    pub(super) fn new(job: &Job<'_>, attempt: &Attempt, spoken: Spoken) -> Self {
        job.ending(attempt.epoch, attempt.started, spoken)
    }

    pub(super) fn outcome(&self) -> &'static str {
        match self.command {
            Command::CompleteRun(_) => "completed",
            _ => "failed",
        }
    }
}

impl Job<'_> {
    fn ending(&self, epoch: u32, started: Sequence, spoken: Spoken) -> Ending {
        let (run, usage) = (self.run.run, spoken.usage);
        let text = self.key.seal(&self.field(self.run.message, "text"), &spoken.text);
        let reasoning = (!spoken.reasoning.is_empty())
            .then(|| self.key.seal(&self.field(self.run.message, "reasoning"), &spoken.reasoning));
        let chunks = self.key.seal(&self.field(self.run.message, "chunks"), &spoken.table.pack(started));
        let command = match spoken.result {
            Ok(finish_reason) => CompleteRun { run, epoch, text, reasoning, chunks, finish_reason, usage }.into(),
            Err(Failure { reason, .. }) => FailRun {
                run,
                epoch,
                text,
                reasoning,
                chunks,
                reason: self.key.seal(&self.field(self.run.message, "reason"), &reason),
                error: self.key.seal(&self.field(run, "error"), &reason),
                turn_reason: self.key.seal(&self.field(self.turn.turn, "reason"), &reason),
                usage,
            }
            .into(),
        };
        Ending { command, chunks: spoken.table.0.len() }
    }

    fn field(&self, owner: impl std::fmt::Display, name: &'static str) -> Field<'_> {
        Field::new(&self.work.tenant, self.work.conversation, owner, name)
    }

    /// Fails a run that no attempt is to be made of (any more), with what its last attempt had published.
    pub(super) async fn fail_unclaimed(&self, failure: Failure) -> Result<Left> {
        tracing::info!(run = %self.run.run, epoch = self.run.epoch, class = failure.class, "a run fails before it begins");
        let (text, reasoning, table) = self.salvage().await?;
        self.fail(text, reasoning, table, failure).await
    }

    async fn fail(&self, text: String, reasoning: String, table: ChunkTable, failure: Failure) -> Result<Left> {
        let spoken = Spoken { text, reasoning, table, usage: None, result: Err(failure) };
        let ending = self.ending(self.run.epoch, self.run.started, spoken);
        self.end(ending, self.work.cause).await
    }

    /// Appends the end, however long the store takes to answer again: if another worker has taken the run over meanwhile, the
    /// store refuses.
    pub(super) async fn end(&self, ending: Ending, cause: EventId) -> Result<Left> {
        let (mut pause, mut tries) = (Duration::from_millis(100), 0);
        loop {
            let cause = Cause { event: cause, ..self.work.cause() };
            let conversation = self.work.conversation;
            let result = match ending.command.clone() {
                Command::CompleteRun(command) => self.context.commands.complete_run(conversation, command, cause).await,
                Command::FailRun(command) => self.context.commands.fail_run(conversation, command, cause).await,
                _ => return Ok(Left::Nothing),
            };
            let error = match result {
                Ok(_) => return Ok(Left::Nothing),
                Err(CommandError::Stale) => return Ok(self.stale("end")),
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
