//! An answer as it streams: from the model into the answer, from there to the log.

use std::sync::Arc;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use events::{ChunkTable, FinishReason, Usage};

use super::Job;
use super::ask::Call;
use super::prepare::{Before, Question};
use crate::answer::{Answer, Parts};
use crate::chunks::{Attempt, Chunks};
use crate::context::Context;
use crate::heard::Listener;
use crate::model::{Failure, Said, Watch};
use crate::prompt::ToolUse;

/// What the model has said, over all calls of the run, and its way to the log.
pub(super) struct Speech {
    answer: Answer,
    chunks: Chunks,
    /// What was there when the call began.
    before: Parts,
    calls: Vec<ToolUse>,
    usage: Option<Usage>,
    paid: bool,
    /// Tokens of all calls.
    counted: Usage,
}

/// Why nothing more comes of a request.
pub(super) enum Stopped {
    Failed(Failure),
    /// Somebody stops the turn.
    ByPerson,
    /// The run is another worker's.
    Lost,
}

impl Speech {
    /// Goes on where the run's attempt stands; the words of an earlier attempt are said again.
    pub(super) fn new(context: &Context, attempt: Arc<Attempt>, listener: Listener, before: Before) -> Self {
        let limit = context.settings.answer_limit;
        let mut answer = Answer::resumed(limit, before.said);
        for (kind, text) in before.to_say.pieces() {
            answer.push(kind, text);
        }
        let chunks = Chunks::new(context.log.clone(), attempt, listener, before.table);
        Self {
            answer,
            chunks,
            before: Parts::default(),
            calls: Vec::new(),
            usage: None,
            paid: false,
            counted: Usage::default(),
        }
    }

    /// Another request begins, which stands in the conversation at this place.
    pub(super) fn begin_call(&mut self, call: &Call) {
        self.chunks.saw(call.sequence);
        self.before = self.answer.parts().clone();
        self.calls.clear();
        self.usage = None;
        self.paid = true;
    }

    /// The model has said something since the request began.
    pub(super) fn has_spoken(&self) -> bool {
        *self.answer.parts() != self.before || !self.calls.is_empty()
    }

    /// What the model said since then.
    pub(super) fn said_now(&self) -> Parts {
        self.answer.parts().after(&self.before)
    }

    /// The text of the whole run.
    pub(super) fn text(&self) -> &str {
        &self.answer.parts().text
    }

    pub(super) fn wants_tools(&self) -> bool {
        !self.calls.is_empty()
    }

    /// The server may have worked on it.
    pub(super) fn paid(&self) -> bool {
        self.paid
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Returns when somebody stops the turn.
    pub(super) async fn stopped(&self) {
        self.chunks.stopped().await;
    }

    /// Publishes what is left; afterwards the chunks are complete.
    pub(super) async fn finish(&mut self) -> ChunkTable {
        self.chunks.finish(&mut self.answer).await
    }

    /// All that was said, and the tools that the last call wants.
    pub(super) fn into_parts(self) -> (Parts, Vec<ToolUse>) {
        (self.answer.into_parts(), self.calls)
    }
}

/// Sends one request and streams what comes back.
pub(super) async fn stream(
    speech: &mut Speech,
    job: &Job<'_>,
    question: &Question,
    lost: &CancellationToken,
) -> Result<FinishReason, Stopped> {
    let mut watch = Watch::begin(&job.span, job.work, Some(&job.run.agent), &question.name, &question.model);
    let result = listen(speech, question, lost, &mut watch).await;
    if let Some(usage) = speech.usage {
        speech.counted = speech.counted.plus(usage);
        job.span.counted(speech.counted);
    }
    if let Ok(reason) = &result {
        job.span.finished(*reason);
    }
    let class = |stopped: &Stopped| match stopped {
        Stopped::Failed(failure) => failure.class,
        Stopped::ByPerson => "stopped",
        Stopped::Lost => "lease_lost",
    };
    watch.end(result.as_ref().copied().map_err(class), speech.usage);
    result
}

async fn listen(
    speech: &mut Speech,
    question: &Question,
    lost: &CancellationToken,
    watch: &mut Watch,
) -> Result<FinishReason, Stopped> {
    let mut said = question.model.ask(&question.prompt, question.request.clone());
    let result = loop {
        let next = tokio::select! {
            () = lost.cancelled() => return Err(Stopped::Lost),
            () = speech.stopped() => return Err(Stopped::ByPerson),
            () = speech.chunks.ready(&speech.answer) => {
                speech.chunks.publish(&mut speech.answer).await;
                continue;
            }
            next = said.next() => next,
        };
        match next {
            Some(Ok(Said::Piece(kind, piece))) => {
                watch.heard();
                let fits = speech.answer.push(kind, &piece);
                speech.chunks.publish(&mut speech.answer).await;
                if !fits {
                    break Ok(FinishReason::Length);
                }
            }
            Some(Ok(Said::Call(call))) => speech.calls.push(call),
            Some(Ok(Said::Usage(counted))) => speech.usage = Some(counted),
            Some(Ok(Said::Finished(reason))) => break Ok(reason),
            Some(Err(failure)) => break Err(failure),
            None => break Ok(FinishReason::Stop),
        }
    };
    drop(said);
    result.map_err(|failure| {
        speech.paid = failure.paid;
        Stopped::Failed(failure)
    })
}
