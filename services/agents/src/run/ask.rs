//! From the claim to the last word: one upstream request after another, each durable before it leaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use commands::rules::{BeginCall, CallEnd, ClaimRun, Command, NewCall};
use commands::{Error as CommandError, Outcome};
use events::event::CallOutcome;
use events::{CallId, ChunkTable, FinishReason, Sequence};

use super::prepare::Question;
use super::stream::{Speech, Stopped, stream};
use super::{Job, Left};
use crate::Result;
use crate::begin::NotBegun;
use crate::budget::Taking;
use crate::chunks::Attempt;
use crate::heard::Listener;
use crate::model::{Failure, Next};
use crate::money;

/// A model call that is open: ours.
pub(super) struct Call {
    pub(super) id: CallId,
    /// Who was asked; by now the question may be for another model.
    model: String,
    pub(super) attempt: u32,
    /// Of its `ModelCallStarted`; 0 before that.
    pub(super) sequence: Sequence,
}

/// How a run's conversation with its model came to an end.
pub(super) enum Ended {
    Finished(FinishReason),
    Failed(Failure),
    Stopped,
}

impl Job<'_> {
    /// Claims the run, or goes on with it, and asks the model until it has answered, wants tools, or has failed.
    pub(super) async fn answer(
        &self,
        mut question: Question,
        listener: Listener,
        lost: &CancellationToken,
    ) -> Result<Left> {
        let (attempt, mut call) = match self.begin(&question).await {
            Ok(begun) => begun,
            Err(NotBegun::Over(failure)) => return self.fail(failure).await,
            Err(NotBegun::Refused(error)) => return self.refused("claim", error),
            Err(NotBegun::Unknown(error)) => return Err(error),
        };
        let begun = Instant::now();
        let _active = Active::begin();
        let attempt = Arc::new(attempt);
        let mut speech = Speech::new(self.context, attempt.clone(), listener, question.take_before());
        let mut attempts = self.context.models.attempts(&question.name);
        let ended = loop {
            speech.begin_call(&call);
            let ended = match stream(&mut speech, self, &question, lost).await {
                Ok(reason) => Ended::Finished(reason),
                Err(Stopped::Failed(failure)) => Ended::Failed(failure),
                Err(Stopped::ByPerson) => Ended::Stopped,
                Err(Stopped::Lost) => return Ok(self.left(&attempt)),
            };
            let Ended::Failed(failure) = &ended else { break ended };
            if speech.has_spoken() {
                break ended;
            }
            let end = self.call_end(&question, &call, &speech, CallOutcome::Failed);
            let pause = match attempts.after(failure, rand::random()) {
                Next::Again(pause) => pause,
                Next::Fallback(model) if question.ask_instead(self, &model) => Duration::ZERO,
                Next::Fallback(_) | Next::GiveUp => break ended,
            };
            tokio::select! {
                () = lost.cancelled() => return Ok(self.left(&attempt)),
                () = speech.stopped() => break Ended::Stopped,
                () = tokio::time::sleep(pause) => {}
            }
            call = match self.ask_again(&question, &attempt, &call, end).await {
                Ok(call) => call,
                Err(NotBegun::Over(failure)) => break Ended::Failed(failure),
                Err(NotBegun::Refused(error)) => return self.refused("retry", error),
                Err(NotBegun::Unknown(error)) => return Err(error),
            };
        };
        let outcome = match &ended {
            Ended::Finished(FinishReason::ToolCalls) if speech.wants_tools() => "tools",
            Ended::Finished(_) => "completed",
            Ended::Failed(_) => "failed",
            Ended::Stopped => "stopped",
        };
        let chunks: ChunkTable = speech.finish().await;
        let left = match ended {
            Ended::Finished(FinishReason::ToolCalls) if speech.wants_tools() => {
                self.want_tools(&question, &attempt, &call, speech, chunks.clone()).await?
            }
            ended => self.end_answer(&question, &attempt, &call, speech, chunks.clone(), ended).await?,
        };
        let outcome = if left == Left::Nothing { outcome } else { "superseded" };
        let seconds = begun.elapsed().as_secs_f64();
        metrics::histogram!("loquent_run_seconds", "outcome" => outcome).record(seconds);
        tracing::info!(
            conversation = %attempt.conversation, run = %attempt.run, message = %attempt.message, epoch = attempt.epoch,
            correlation = %attempt.correlation, outcome, chunks = chunks.0.len(), seconds, "a run has come to rest"
        );
        Ok(left)
    }

    fn left(&self, attempt: &Attempt) -> Left {
        self.span.failed("lease_lost");
        tracing::info!(run = %self.run.run, epoch = attempt.epoch, "left a run to another worker");
        Left::Again(Duration::ZERO)
    }

    /// Takes the run, or goes on with it after its tools; the first request's call is open then.
    async fn begin(&self, question: &Question) -> std::result::Result<(Attempt, Call), NotBegun> {
        let mut call = Call { id: CallId::generate(), model: question.name.clone(), attempt: 1, sequence: 0 };
        let goes_on = self.run.epoch > 0 && self.run.open_call.is_none();
        let outcome = if goes_on {
            let (run, epoch, answered) = (self.run.run, self.run.epoch, self.run.answered);
            let command = BeginCall { run, epoch, before: None, answered, call: question.new_call(&call) };
            self.begin_call(question, &call, None, command).await?
        } else {
            self.claim(question, &call).await?
        };
        let started = outcome.records.last().ok_or(CommandError::Stale)?;
        let (started, started_at) = match goes_on {
            true => (self.run.started, question.started_at.unwrap_or(started.time)),
            // The claim itself stands just before the call that it begins with.
            false => (started.sequence - 1, started.time),
        };
        let record = outcome.records.last().ok_or(CommandError::Stale)?;
        call.sequence = record.sequence;
        let attempt = Attempt {
            tenant: self.work.tenant.clone(),
            conversation: self.work.conversation,
            message: self.run.message,
            run: self.run.run,
            turn: self.turn.turn,
            agent: self.run.agent.clone(),
            epoch: if goes_on { self.run.epoch } else { self.run.epoch + 1 },
            key: self.key.clone(),
            correlation: record.correlationid,
            cause: record.id,
            started,
            started_at,
        };
        Ok((attempt, call))
    }

    /// Begins a call of this run, and ends the one before it.
    async fn begin_call(
        &self,
        question: &Question,
        call: &Call,
        before: Option<&CallEnd>,
        command: impl Into<Command>,
    ) -> std::result::Result<Outcome, NotBegun> {
        let taking = Taking {
            call: call.id,
            tenant: &self.work.tenant,
            person: self.turn.person,
            model: &question.name,
            prompt_bytes: money::bytes(&question.prompt) as u64,
            cost: question.reserved.as_ref(),
            before,
        };
        self.context.begin_call(self.work, &taking, command).await
    }

    async fn claim(&self, question: &Question, call: &Call) -> std::result::Result<Outcome, NotBegun> {
        let epoch = self.run.epoch + 1;
        let abandoned = match &self.run.open_call {
            Some(open) => {
                let said = self.salvage().await.map(|salvage| salvage.of_call).unwrap_or_default();
                Some(self.abandoned(open, said))
            }
            None => None,
        };
        let before = abandoned.clone();
        let claim = ClaimRun { run: self.run.run, epoch, abandoned, call: question.new_call(call) };
        let outcome = self.begin_call(question, call, before.as_ref(), claim).await?;
        if epoch > 1 {
            metrics::counter!("loquent_run_takeovers_total").increment(1);
            tracing::info!(run = %self.run.run, epoch, "took a run over");
        }
        Ok(outcome)
    }

    /// Ends the request that broke off and begins the next one.
    async fn ask_again(
        &self,
        question: &Question,
        attempt: &Attempt,
        last: &Call,
        before: CallEnd,
    ) -> std::result::Result<Call, NotBegun> {
        let (model, number) = (question.name.clone(), last.attempt + 1);
        let mut call = Call { id: CallId::generate(), model, attempt: number, sequence: 0 };
        let command = BeginCall {
            run: self.run.run,
            epoch: attempt.epoch,
            before: Some(before.clone()),
            answered: self.run.answered,
            call: question.new_call(&call),
        };
        let outcome = self.begin_call(question, &call, Some(&before), command).await?;
        call.sequence = outcome.sequence();
        Ok(call)
    }

    /// The end of a call of ours.
    pub(super) fn call_end(&self, question: &Question, call: &Call, speech: &Speech, outcome: CallOutcome) -> CallEnd {
        let spent = match speech.paid() {
            true => {
                let (asked, said) = (money::bytes(&question.prompt), speech.said_now().bytes());
                self.context.money.spent(&call.model, speech.usage(), asked, said)
            }
            false => self.context.money.nothing(),
        };
        CallEnd { call: call.id, outcome, spent, cached: false }
    }
}

impl Question {
    fn new_call(&self, call: &Call) -> NewCall {
        let (model, context) = (self.name.clone(), self.context.clone());
        NewCall {
            call: call.id,
            attempt: call.attempt,
            model,
            context,
            prompt_bytes: money::bytes(&self.prompt) as u64,
            reserved: self.reserved.clone(),
            limits: self.limits.clone(),
        }
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
