//! A provider's server: one request, and its answer as it streams. What it speaks is for `openai` and `anthropic` to know.

mod limits;
mod send;
mod sse;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_stream::try_stream;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::timeout_at;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use super::breaker::BreakerState;
use super::decoder::{Decoder, Wrong};
use super::failure::{Blame, Failure};
use super::fuse::Fuse;
use super::{Said, anthropic, openai};
use crate::Settings;
use crate::prompt::Prompt;
use crate::settings::{Provider, ProviderKind, Timeouts};

use limits::{Clock, cut};
pub(super) use sse::DONE;

/// How long a server may take to end its stream after it said that the answer is whole.
const FAREWELL: Duration = Duration::from_secs(2);

/// A server and how long it may take. Cheap to clone; all clones share the connections and the breaker.
#[derive(Clone)]
pub(crate) struct Server {
    name: Arc<str>,
    provider: Arc<Provider>,
    timeouts: Timeouts,
    line_limit: usize,
    fuse: Fuse,
    client: Arc<OnceLock<Result<reqwest::Client, String>>>,
}

type Answer<T> = Result<T, Failure>;

impl Server {
    pub(super) fn new(name: &str, provider: &Provider, settings: &Settings) -> Self {
        Self {
            name: name.into(),
            provider: Arc::new(provider.clone()),
            timeouts: provider.timeouts.unwrap_or(settings.timeouts),
            line_limit: provider.line_limit.unwrap_or(settings.line_limit),
            fuse: Fuse::new(name, provider.breaker.unwrap_or(settings.breaker)),
            client: Arc::default(),
        }
    }

    /// The provider's name in the settings.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is asked at present.
    pub(super) fn breaker(&self) -> BreakerState {
        self.fuse.state()
    }

    /// The body of the request for a prompt.
    pub(super) fn body(&self, model: &str, prompt: &Prompt) -> Bytes {
        match self.provider.kind {
            ProviderKind::OpenAi => openai::body(model, prompt),
            ProviderKind::Anthropic => anthropic::body(model, prompt, self.provider.max_output_tokens),
        }
    }

    /// Asks once and gives what comes back, until the answer is whole or has failed.
    pub(super) fn stream(self, prompt: &Prompt, request: Bytes) -> impl Stream<Item = Answer<Said>> + Send + use<> {
        let decoder = Decoder::new(self.provider.kind, prompt);
        try_stream! {
            let mut leave = self.fuse.leave()?;
            let mut answer = std::pin::pin!(self.answer(decoder, request));
            let failure = loop {
                match answer.next().await {
                    Some(Ok(said)) => {
                        leave.answered();
                        yield said;
                    }
                    Some(Err(failure)) => break failure,
                    None => return,
                }
            };
            leave.failed(&failure);
            Err(failure)?;
        }
    }

    fn answer(&self, mut decoder: Decoder, request: Bytes) -> impl Stream<Item = Answer<Said>> + Send {
        try_stream! {
            let mut clock = Clock::start(self.timeouts);
            let response = self.send(request, &clock).await?;
            if form(&response)? == Form::Whole {
                let body = self.whole(response, &clock).await?;
                let heard = decoder.whole(&body).map_err(|wrong| self.wrong(wrong))?;
                for said in heard.said {
                    yield said;
                }
                for said in decoder.end(heard.finish).map_err(|wrong| self.wrong(wrong))? {
                    yield said;
                }
                return;
            }
            let bytes = response.bytes_stream().map_err(std::io::Error::other);
            let mut lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(self.line_limit));
            let mut events = sse::Events::new(self.line_limit);
            let mut finished = None;
            loop {
                let line = match timeout_at(clock.deadline(), lines.next()).await {
                    Ok(Some(Ok(line))) => line,
                    // The answer is whole: whatever happens to the connection now is nobody's concern.
                    Ok(None | Some(Err(_))) | Err(_) if finished.is_some() => break,
                    Ok(None) => Err(cut())?,
                    Ok(Some(Err(error))) => Err(unreadable(&error))?,
                    Err(_) => Err(clock.too_slow())?,
                };
                let Some(event) = events.line(&line).map_err(|()| garbage())? else { continue };
                let heard = decoder.event(&event).map_err(|wrong| self.wrong(wrong))?;
                clock.heard(&heard.said);
                for said in heard.said {
                    yield said;
                }
                if heard.is_last {
                    break;
                }
                if finished.is_none() && heard.finish.is_some() {
                    finished = heard.finish;
                    clock.leave_within(FAREWELL);
                }
            }
            for said in decoder.end(finished).map_err(|wrong| self.wrong(wrong))? {
                yield said;
            }
        }
    }

    /// The answer of a server that does not stream although it was asked to.
    async fn whole(&self, response: Response, clock: &Clock) -> Answer<String> {
        let limit = self.line_limit.saturating_mul(4);
        let mut bytes = response.bytes_stream();
        let mut body = Vec::new();
        loop {
            match timeout_at(clock.deadline(), bytes.next()).await {
                Ok(None) => break,
                Ok(Some(Ok(part))) if body.len() + part.len() <= limit => body.extend_from_slice(&part),
                Ok(Some(Ok(_))) => return Err(too_long()),
                Ok(Some(Err(_))) => return Err(cut()),
                Err(_) => return Err(clock.too_slow()),
            }
        }
        String::from_utf8(body).map_err(|_| garbage())
    }

    fn wrong(&self, wrong: Wrong) -> Failure {
        match wrong {
            Wrong::Garbage => garbage(),
            Wrong::Error(complaint) => send::reported(&complaint.kind).quoting(&complaint.message, self.key()),
            Wrong::TooManyCalls => {
                Failure::of(Blame::Terms, "too_many_calls", "the model asked for too many tools at once")
            }
            Wrong::TooLong => {
                Failure::of(Blame::Terms, "too_long", "the model gave its tools arguments that are too long")
            }
        }
    }

    fn key(&self) -> Option<&str> {
        self.provider.api_key.as_ref().map(|key| key.expose())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Stream,
    Whole,
}

/// What the response says that it is. Some servers stream without saying so, or as plain text.
fn form(response: &Response) -> Answer<Form> {
    let content_type = response.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let content_type =
        content_type.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match content_type.as_deref() {
        None | Some("text/event-stream" | "text/plain" | "application/octet-stream") => Ok(Form::Stream),
        Some("application/json") => Ok(Form::Whole),
        Some(_) => Err(garbage()),
    }
}

fn unreadable(error: &LinesCodecError) -> Failure {
    match error {
        LinesCodecError::MaxLineLengthExceeded => too_long(),
        LinesCodecError::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => garbage(),
        LinesCodecError::Io(_) => cut(),
    }
}

fn garbage() -> Failure {
    Failure::of(Blame::Server, "garbage", "the model's server sent something that is no answer")
}

fn too_long() -> Failure {
    Failure::of(Blame::Terms, "too_long", "the model's server sent a line that is too long")
}
