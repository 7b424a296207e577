//! One run: what its model is asked, the claim, the answer as it streams, the tools that it wants, the end.

mod ask;
mod end;
mod prepare;
mod salvage;
mod stream;
mod want;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use commands::rules::{CallEnd, code};
use commands::{Error as CommandError, Loaded, OpenCall, Run, Turn};
use events::RunId;
use events::event::CallOutcome;
use keyring::ContentKey;

use crate::Result;
use crate::context::Context;
use crate::heard::Listener;
use crate::model::Failure;
use crate::trace::Span;
use crate::work::Work;

pub(crate) use prepare::request_of;

/// Attempts of one run, over all workers.
const EPOCHS: u32 = 10;
/// Until another look, where somebody else was faster.
const LATER: Duration = Duration::from_secs(1);

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing, until something happens.
    Nothing,
    /// All of it, after a pause: by whichever worker is first.
    Again(Duration),
}

/// Carries a run out, until it has ended, waits for tools, or is not ours any more (`lost`).
pub(crate) async fn carry_out(context: &Context, work: &Work, id: RunId, lost: &CancellationToken) -> Result<Left> {
    // From here on nothing that happens in the conversation escapes this run.
    let listener = context.heard.listen(work.conversation, work.sequence);
    let Some(loaded) = context.commands.load(work.conversation).await? else { return Ok(Left::Nothing) };
    let Some((turn, run)) = loaded.state.run(id) else { return Ok(Left::Nothing) };
    let key = context.keyring.content_key(turn.person, work.conversation).await?;
    let job = Job { context, work, loaded: &loaded, turn, run, key, span: Span::default() };
    if turn.stop.is_some() {
        return job.stop().await;
    }
    if job.waits() {
        return Ok(Left::Nothing);
    }
    let span = Span::invoke_agent(work, &run.agent);
    let left = Job { work: &span.carry(work), span: span.clone(), ..job }.work_on(listener, lost).await;
    if left.is_err() {
        span.failed("interrupted");
    }
    left
}

/// A run that waits for an attempt.
struct Job<'a> {
    context: &'a Context,
    work: &'a Work,
    loaded: &'a Loaded,
    turn: &'a Turn,
    run: &'a Run,
    key: ContentKey,
    /// Of this worker's part in the run.
    span: Span,
}

impl Job<'_> {
    async fn work_on(&self, listener: Listener, lost: &CancellationToken) -> Result<Left> {
        if self.run.open_call.is_some() && self.run.epoch >= EPOCHS {
            let reason = format!("the answer was begun {EPOCHS} times and its worker died each time");
            return self.fail(Failure::new("epochs", reason)).await;
        }
        match self.prepare().await? {
            Ok(question) => self.answer(question, listener, lost).await,
            Err(failure) => self.fail(failure).await,
        }
    }

    /// Steps before it, or its tools, have not ended.
    fn waits(&self) -> bool {
        let before = |step: &Run| self.run.after.contains(&step.run);
        self.run.awaits_tools() || self.turn.open_runs().any(before)
    }

    /// The end of the call that a dead worker left open: what is known of it.
    fn abandoned(&self, open: &OpenCall, said: usize) -> CallEnd {
        let asked = usize::try_from(open.prompt_bytes).unwrap_or(usize::MAX);
        CallEnd {
            call: open.call,
            outcome: CallOutcome::Abandoned,
            spent: self.context.money.spent(&open.model, None, asked, said),
            cached: false,
        }
    }

    /// What a refused command means for the run.
    fn refused(&self, step: &'static str, error: CommandError) -> Result<Left> {
        match error {
            CommandError::Stale => {
                metrics::counter!("loquent_run_stale_total", "step" => step).increment(1);
                tracing::info!(run = %self.run.run, step, "the run is over or another worker has it");
                Ok(Left::Again(LATER))
            }
            // Looked at again, it is stopped.
            CommandError::Rejected(rejection) if rejection.code == code::TURN_STOPPING => {
                Ok(Left::Again(Duration::ZERO))
            }
            error => Err(error.into()),
        }
    }
}
