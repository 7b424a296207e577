//! One run: what the model is asked, the claim, the answer as it streams, the end.

mod end;
mod prepare;
mod salvage;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use commands::{ClaimRun, Error as CommandError, Loaded, Run, Turn};
use events::RunId;
use events::event::ContextReference;
use keyring::ContentKey;

use crate::Result;
use crate::chunks::Attempt;
use crate::context::Context;
use crate::model::Failure;
use crate::prompt::RENDERER;
use crate::work::Work;

use end::Ending;
use prepare::Question;

/// Attempts of one run, over all workers.
const EPOCHS: u32 = 10;
/// Until another look, where another run of the turn comes first.
const SOON: Duration = Duration::from_millis(100);
/// Until another look, where somebody else was faster.
const LATER: Duration = Duration::from_secs(1);

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// All of it, after a pause: by whichever worker is first.
    Again(Duration),
}

/// Carries a run out, until it has ended or is not ours any more (`lost`).
pub(crate) async fn carry_out(context: &Context, work: &Work, id: RunId, lost: &CancellationToken) -> Result<Left> {
    let Some(loaded) = context.commands.load(work.conversation).await? else { return Ok(Left::Nothing) };
    let Some((turn, run)) = loaded.state.run(id) else { return Ok(Left::Nothing) };
    if turn.runs.first().is_some_and(|first| first.run != id) {
        return Ok(Left::Again(SOON));
    }
    let key = context.keyring.content_key(turn.person, work.conversation).await?;
    let job = Job { context, work, loaded: &loaded, turn, run, key };
    if run.epoch >= EPOCHS {
        let reason = format!("the answer was begun {EPOCHS} times and its worker died each time");
        return job.fail_unclaimed(Failure::new("epochs", reason)).await;
    }
    match job.prepare().await? {
        Ok(question) => job.answer(question, lost).await,
        Err(failure) => job.fail_unclaimed(failure).await,
    }
}

/// A run that waits for an attempt.
struct Job<'a> {
    context: &'a Context,
    work: &'a Work,
    loaded: &'a Loaded,
    turn: &'a Turn,
    run: &'a Run,
    key: ContentKey,
}

impl Job<'_> {
    /// Claims the run and, if that is accepted, asks the model.
    async fn answer(&self, question: Question, lost: &CancellationToken) -> Result<Left> {
        let attempt = match self.claim(&question).await {
            Ok(attempt) => Arc::new(attempt),
            Err(CommandError::Stale) => return Ok(self.stale("claim")),
            Err(error) => return Err(error.into()),
        };
        let begun = Instant::now();
        let _active = Active::begin();
        let Some(spoken) = stream::stream(self.context, attempt.clone(), &question, lost).await else {
            tracing::info!(run = %self.run.run, epoch = attempt.epoch, "left a run to another worker");
            return Ok(Left::Again(Duration::ZERO));
        };
        let ending = Ending::new(self, &attempt, spoken);
        let (outcome, chunks) = (ending.outcome(), ending.chunks);
        let left = self.end(ending, attempt.cause).await?;
        let outcome = if left == Left::Nothing { outcome } else { "superseded" };
        let seconds = begun.elapsed().as_secs_f64();
        metrics::histogram!("loquent_run_seconds", "outcome" => outcome).record(seconds);
        tracing::info!(
            conversation = %attempt.conversation, run = %attempt.run, message = %attempt.message,
            epoch = attempt.epoch, correlation = %attempt.correlation, outcome, chunks, seconds, "a run has ended"
        );
        Ok(left)
    }

    async fn claim(&self, question: &Question) -> std::result::Result<Attempt, CommandError> {
        let epoch = self.run.epoch + 1;
        let context = ContextReference {
            conversation: self.work.conversation,
            up_to: self.loaded.sequence,
            renderer: RENDERER,
            digest: self.key.digest(&question.request),
        };
        let claim = ClaimRun { run: self.run.run, epoch, model: question.name.clone(), context };
        let outcome = self.context.commands.claim_run(self.work.conversation, claim, self.work.cause()).await?;
        let started = outcome.records.first().ok_or(CommandError::Stale)?;
        if epoch > 1 {
            metrics::counter!("loquent_run_takeovers_total").increment(1);
            tracing::info!(run = %self.run.run, epoch, "took a run over");
        }
        Ok(Attempt {
            tenant: self.work.tenant.clone(),
            conversation: self.work.conversation,
            message: self.run.message,
            run: self.run.run,
            agent: self.run.agent.clone(),
            epoch,
            key: self.key.clone(),
            correlation: started.correlationid,
            cause: started.id,
            started: started.sequence,
            started_at: started.time,
        })
    }

    /// Somebody else has the run, or it is over.
    fn stale(&self, step: &'static str) -> Left {
        metrics::counter!("loquent_run_stale_total", "step" => step).increment(1);
        tracing::info!(run = %self.run.run, step, "the run is over or another worker has it");
        Left::Again(LATER)
    }
}

/// Counts a run as active as long as it lives.
struct Active;

impl Active {
    fn begin() -> Self {
        metrics::gauge!("loquent_runs_active").increment(1);
        Self
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        metrics::gauge!("loquent_runs_active").decrement(1);
    }
}
