//! The answer as it streams: from the model into the answer, from there to the log.

use std::sync::Arc;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use events::{ChunkTable, FinishReason, Usage};

use super::prepare::Question;
use crate::answer::Answer;
use crate::chunks::{Attempt, Chunks};
use crate::context::Context;
use crate::model::{Failure, Said};

/// All that a model said, and why it stopped.
pub(super) struct Spoken {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) table: ChunkTable,
    pub(super) usage: Option<Usage>,
    pub(super) result: Result<FinishReason, Failure>,
}

/// Asks and streams; `None`: the run was lost in the middle.
pub(super) async fn stream(
    context: &Context,
    attempt: Arc<Attempt>,
    question: &Question,
    lost: &CancellationToken,
) -> Option<Spoken> {
    let mut answer = Answer::new(context.settings.answer_limit);
    let listener = context.heard.listen(attempt.conversation, attempt.started);
    let mut chunks = Chunks::new(context.log.clone(), attempt, listener);
    let mut said = question.model.ask(&question.prompt, question.request.clone());
    let mut usage = None;
    let result = loop {
        let next = tokio::select! {
            () = lost.cancelled() => return None,
            () = chunks.ready(&answer) => {
                chunks.publish(&mut answer).await;
                continue;
            }
            next = said.next() => next,
        };
        match next {
            Some(Ok(Said::Piece(kind, piece))) => {
                let fits = answer.push(kind, &piece);
                chunks.publish(&mut answer).await;
                if !fits {
                    break Ok(FinishReason::Length);
                }
            }
            Some(Ok(Said::Usage(counted))) => usage = Some(counted),
            Some(Ok(Said::Finished(reason))) => break Ok(reason),
            Some(Err(failure)) => break Err(failure),
            None => break Ok(FinishReason::Stop),
        }
    };
    drop(said);
    if let Err(failure) = &result {
        let provider = question.model.provider();
        metrics::counter!("loquent_model_failures_total", "provider" => provider, "class" => failure.class)
            .increment(1);
    }
    let table = chunks.finish(&mut answer).await;
    Some(Spoken { text: answer.text, reasoning: answer.reasoning, table, usage, result })
}
