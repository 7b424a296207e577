//! The answer as it streams: from the model into the answer, from there to the log.

use std::sync::Arc;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use events::{ChunkKind, ChunkTable, FinishReason, Usage};

use super::prepare::Question;
use crate::answer::Answer;
use crate::chunks::{Attempt, Chunks};
use crate::context::Context;
use crate::model::{Failure, Model, Next, Said};

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
    let mut attempts = context.models.attempts(&question.name);
    let (mut model, mut request) = (question.model.clone(), question.request.clone());
    let mut said = model.ask(&question.prompt, request.clone());
    let (mut usage, mut spoke) = (None, false);
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
            // No tools are offered, so none is called.
            Some(Ok(Said::Piece(ChunkKind::ToolCall, _) | Said::Call(_))) => {}
            Some(Ok(Said::Piece(kind, piece))) => {
                spoke = true;
                let fits = answer.push(kind, &piece);
                chunks.publish(&mut answer).await;
                if !fits {
                    break Ok(FinishReason::Length);
                }
            }
            Some(Ok(Said::Usage(counted))) => usage = Some(counted),
            Some(Ok(Said::Finished(reason))) => break Ok(reason),
            Some(Err(failure)) => {
                count(&model, &failure);
                let next = if spoke { Next::GiveUp } else { attempts.after(&failure, rand::random()) };
                match next {
                    Next::GiveUp => break Err(failure),
                    Next::Again(pause) => lost.run_until_cancelled(tokio::time::sleep(pause)).await?,
                    Next::Fallback(name) => {
                        let Ok(other) = context.models.choose(&name) else { break Err(failure) };
                        request = other.request(&question.prompt);
                        model = other;
                    }
                }
                tracing::info!(class = failure.class, provider = model.provider(), "asking a model again");
                said = model.ask(&question.prompt, request.clone());
            }
            None => break Ok(FinishReason::Stop),
        }
    };
    drop(said);
    let table = chunks.finish(&mut answer).await;
    Some(Spoken { text: answer.text, reasoning: answer.reasoning, table, usage, result })
}

fn count(model: &Model, failure: &Failure) {
    let provider = model.provider().to_owned();
    metrics::counter!("loquent_model_failures_total", "provider" => provider, "class" => failure.class).increment(1);
}
