//! A server that speaks OpenAI's chat completions, streamed as server-sent events.

mod send;
mod sse;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use async_stream::try_stream;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use reqwest::Response;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use super::{Failure, Said};
use crate::prompt::{Line, Prompt};
use crate::settings::{Provider, Timeouts};

/// How long a server may take to end its stream after it said that the answer is whole.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(2);

/// The server and how long it may take. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub(crate) struct Server {
    provider: Arc<Provider>,
    timeouts: Timeouts,
    line_limit: usize,
    client: Arc<OnceLock<Result<reqwest::Client, String>>>,
}

type Answer<T> = Result<T, Failure>;

/// The request for a prompt.
pub(crate) fn body(model: &str, prompt: &Prompt) -> Bytes {
    #[derive(Serialize)]
    struct Body<'a> {
        model: &'a str,
        messages: &'a [Line],
        stream: bool,
        stream_options: Options,
    }
    #[derive(Serialize)]
    struct Options {
        include_usage: bool,
    }
    let body = Body { model, messages: &prompt.0, stream: true, stream_options: Options { include_usage: true } };
    serde_json::to_vec(&body).unwrap_or_default().into()
}

impl Server {
    pub(crate) fn new(provider: Provider, timeouts: Timeouts, line_limit: usize) -> Self {
        Self { provider: Arc::new(provider), timeouts, line_limit, client: Arc::default() }
    }

    /// Asks and gives what comes back, until the answer is whole or has failed.
    pub(crate) fn stream(self, request: Bytes) -> impl Stream<Item = Answer<Said>> + Send {
        try_stream! {
            let total = Instant::now() + self.timeouts.total;
            let (response, first_token) = self.send(request, total).await?;
            if is_json(&response) {
                for said in self.whole(response, first_token.min(total)).await? {
                    yield said;
                }
                return;
            }
            let bytes = response.bytes_stream().map_err(std::io::Error::other);
            let mut lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(self.line_limit));
            let mut events = sse::Events::new(self.line_limit);
            let (mut deadline, mut waits_for) = (first_token, Wait::FirstToken);
            let (mut finished, mut done) = (None, false);
            while !done {
                let line = match timeout_at(deadline.min(total), lines.next()).await {
                    Ok(Some(Ok(line))) => line,
                    // The answer is whole: whatever happens to the connection now is nobody's concern.
                    Ok(None | Some(Err(_))) | Err(_) if finished.is_some() => break,
                    Ok(None) => Err(cut())?,
                    Ok(Some(Err(error))) => Err(self.unreadable(&error))?,
                    Err(_) => Err(self.too_slow(waits_for, total))?,
                };
                let Some(event) = events.line(&line).map_err(|()| garbage())? else { continue };
                if event == sse::DONE {
                    done = true;
                    continue;
                }
                let chunk = wire::chunk(&event).map_err(|wrong| self.wrong(wrong))?;
                let spoke = !chunk.pieces.is_empty();
                for (kind, text) in chunk.pieces {
                    yield Said::Piece(kind, text);
                }
                if let Some(usage) = chunk.usage {
                    yield Said::Usage(usage);
                }
                if finished.is_some() {
                    continue;
                }
                finished = chunk.finish;
                if finished.is_some() {
                    deadline = Instant::now() + FAREWELL;
                } else if spoke || waits_for == Wait::NextToken {
                    (deadline, waits_for) = (Instant::now() + self.timeouts.idle, Wait::NextToken);
                }
            }
            yield Said::Finished(finished.unwrap_or(events::FinishReason::Stop));
        }
    }

    /// The answer of a server that does not stream although it was asked to.
    async fn whole(&self, response: Response, deadline: Instant) -> Answer<Vec<Said>> {
        let limit = self.line_limit.saturating_mul(4);
        let mut bytes = response.bytes_stream();
        let mut body = Vec::new();
        loop {
            match timeout_at(deadline, bytes.next()).await {
                Ok(None) => break,
                Ok(Some(Ok(part))) if body.len() + part.len() <= limit => body.extend_from_slice(&part),
                Ok(Some(Ok(_))) => return Err(too_long()),
                Ok(Some(Err(_))) => return Err(cut()),
                Err(_) => return Err(self.too_slow(Wait::FirstToken, deadline)),
            }
        }
        let body = std::str::from_utf8(&body).map_err(|_| garbage())?;
        wire::whole(body).map_err(|wrong| self.wrong(wrong))
    }

    fn wrong(&self, wrong: wire::Wrong) -> Failure {
        match wrong {
            wire::Wrong::Garbage => garbage(),
            wire::Wrong::Error(said) => {
                Failure::quoting("reported", "the model's server reported an error", &said, self.key())
            }
        }
    }

    fn unreadable(&self, error: &LinesCodecError) -> Failure {
        match error {
            LinesCodecError::MaxLineLengthExceeded => too_long(),
            LinesCodecError::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => garbage(),
            LinesCodecError::Io(_) => cut(),
        }
    }

    fn too_slow(&self, waits_for: Wait, total: Instant) -> Failure {
        let Timeouts { first_token, idle, total: all, .. } = self.timeouts;
        match waits_for {
            _ if Instant::now() >= total => {
                Failure::new("timeout_total", format_args!("the model took longer than {all:?} for its answer"))
            }
            Wait::FirstToken => Failure::new(
                "timeout_first_token",
                format_args!("the model did not begin to answer within {first_token:?}"),
            ),
            Wait::NextToken => Failure::new("timeout_idle", format_args!("the model fell silent for {idle:?}")),
        }
    }

    fn key(&self) -> Option<&str> {
        self.provider.api_key.as_ref().map(|key| key.expose())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    FirstToken,
    NextToken,
}

fn is_json(response: &Response) -> bool {
    let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
    content_type.and_then(|value| value.to_str().ok()).is_some_and(|value| value.starts_with("application/json"))
}

fn cut() -> Failure {
    Failure::new("cut", "the model's server cut the connection")
}

fn garbage() -> Failure {
    Failure::new("garbage", "the model's server sent something that is no answer")
}

fn too_long() -> Failure {
    Failure::new("too_long", "the model's server sent a line that is too long")
}
