//! One socket, from its first frame to its close.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{ErrorExtensionValues, Request, Response, ServerError};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::StreamExt;
use futures::stream::BoxStream;
use http::HeaderMap;
use serde_json::{Map, Value};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_stream::StreamMap;

use super::PROTOCOL;
use super::frame::{Heard, Said, read};
use crate::auth::{Principal, bearer};
use crate::gateway::App;
use crate::http::expiry::{deadline, until};
use crate::http::graphql::{is_request_error, operation};
use crate::http::{IdempotencyHeader, Trace, code_errors};
use crate::{Error, Result as Answered};

/// How long a client may take to say who it is.
const INIT: Duration = Duration::from_secs(3);
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Heartbeats without any answer after which a peer counts as gone.
const SILENCES: u32 = 3;
/// How long one frame may take to leave, and how long its close then.
const PATIENCE: Duration = Duration::from_secs(30);
const FAREWELL: Duration = Duration::from_secs(5);
/// How long commands that run may take when the node drains.
const DRAIN: Duration = Duration::from_secs(10);
const OPERATIONS: usize = 64;
/// The longest reason that a close frame can hold, in bytes.
const REASON: usize = 123;

/// Why a socket ends.
enum End {
    Close(u16, Cow<'static, str>),
    /// The peer has gone.
    Gone,
}

impl End {
    fn because(code: u16, reason: &'static str) -> Self {
        Self::Close(code, Cow::Borrowed(reason))
    }
}

type Step<T = ()> = Result<T, End>;

/// Who is on the other side.
enum Peer {
    /// Not known until this moment at most.
    Unknown { until: Instant },
    /// Nobody, without a token; else until their token ends.
    Known { principal: Box<Option<Principal>>, until: Option<Instant> },
}

pub(super) struct Socket {
    app: Arc<App>,
    socket: WebSocket,
    authorization: HeaderMap,
    peer: Peer,
    /// Answers by operation; `None` follows the last.
    operations: StreamMap<String, BoxStream<'static, Option<Response>>>,
    /// Those of the operations that are no subscriptions.
    commands: HashSet<String>,
    heartbeat: Interval,
    silences: u32,
    draining: Option<Instant>,
}

/// What a socket waits for.
enum Event {
    Frame(Option<Result<Message, axum::Error>>),
    Answer(String, Option<Response>),
    Heartbeat,
    Deadline,
    Draining,
}

impl Socket {
    pub(super) fn new(app: Arc<App>, socket: WebSocket, authorization: HeaderMap) -> Self {
        let now = Instant::now();
        metrics::gauge!("loquent_sockets").increment(1.0);
        let mut heartbeat = interval_at(now + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            app,
            socket,
            authorization,
            peer: Peer::Unknown { until: now + INIT },
            operations: StreamMap::new(),
            commands: HashSet::new(),
            heartbeat,
            silences: 0,
            draining: None,
        }
    }

    /// Serves it until it ends.
    pub(super) async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        if let End::Close(code, reason) = end {
            metrics::counter!("loquent_sockets_closed_total", "code" => code.to_string()).increment(1);
            let frame = CloseFrame { code, reason: clip(&reason).into() };
            // Whatever was not sent yet goes first, as far as the peer reads it.
            let _ = timeout(FAREWELL, async {
                if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                    while let Some(Ok(_)) = self.socket.recv().await {}
                }
            })
            .await;
        }
    }

    async fn step(&mut self) -> Step {
        if self.socket.protocol().is_none() {
            let reason = format!("the subprotocol must be {PROTOCOL}");
            return Err(End::Close(4406, reason.into()));
        }
        match self.event().await {
            Event::Frame(frame) => Box::pin(self.frame(frame)).await,
            Event::Answer(id, answer) => self.answer(&id, answer).await,
            Event::Heartbeat => self.beat().await,
            Event::Deadline => Err(match self.peer {
                _ if self.draining.is_some() => going(),
                Peer::Unknown { .. } => End::because(4408, "Connection initialisation timeout"),
                Peer::Known { .. } => End::because(4403, "the token has expired"),
            }),
            Event::Draining => {
                self.draining = Some(Instant::now() + DRAIN);
                self.leave()
            }
        }
    }

    async fn event(&mut self) -> Event {
        let deadline = match (&self.peer, self.draining) {
            (_, Some(until)) => Some(until),
            (Peer::Unknown { until }, None) => Some(*until),
            (Peer::Known { until, .. }, None) => *until,
        };
        let draining = self.draining.is_some();
        tokio::select! {
            frame = self.socket.recv() => Event::Frame(frame),
            Some((id, answer)) = self.operations.next() => Event::Answer(id, answer),
            _ = self.heartbeat.tick() => Event::Heartbeat,
            () = until(deadline) => Event::Deadline,
            () = self.app.draining.cancelled(), if !draining => Event::Draining,
        }
    }

    /// Ends as soon as no command runs any more; subscriptions go on elsewhere from their cursors.
    fn leave(&self) -> Step {
        if self.draining.is_some() && self.commands.is_empty() { Err(going()) } else { Ok(()) }
    }

    async fn frame(&mut self, frame: Option<Result<Message, axum::Error>>) -> Step {
        let message = match frame {
            Some(Ok(message)) => message,
            Some(Err(error)) if error.to_string().contains("too long") => {
                return Err(End::because(4400, "a frame must not be larger than 256 KiB"));
            }
            Some(Err(_)) | None => return Err(End::Gone),
        };
        self.silences = 0;
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(End::because(4400, "a frame must be text")),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
        };
        match read(&text).map_err(|reason| End::because(4400, reason))? {
            Heard::Init(payload) => self.init(&payload).await,
            Heard::Ping(payload) => self.say(&Said::Pong { payload }).await,
            Heard::Pong => Ok(()),
            Heard::Subscribe { id, request } => self.subscribe(id, *request).await,
            Heard::Complete { id } => {
                self.operations.remove(&id);
                self.commands.remove(&id);
                self.leave()
            }
        }
    }

    async fn init(&mut self, payload: &Map<String, Value>) -> Step {
        if let Peer::Known { .. } = self.peer {
            return Err(End::because(4429, "Too many initialisation requests"));
        }
        let principal = self.authenticate(payload).await.map_err(|error| match error {
            Error::Unauthenticated(reason) => End::because(4403, reason),
            error => End::Close(error.close_code(), error.public_message().into()),
        })?;
        let until = deadline(principal.as_ref());
        self.peer = Peer::Known { principal: Box::new(principal), until };
        self.say(&Said::ConnectionAck).await
    }

    async fn authenticate(&mut self, payload: &Map<String, Value>) -> Answered<Option<Principal>> {
        let given = payload.get("authorization").or_else(|| payload.get("Authorization"));
        match given.filter(|given| !given.is_null()) {
            None => self.app.authenticator.by_header(&self.authorization).await,
            Some(given) => {
                let token = given.as_str().and_then(bearer);
                let token = token.ok_or(Error::Unauthenticated("authorization must be: Bearer, a space, a token"))?;
                self.app.authenticator.authenticate(token).await.map(Some)
            }
        }
    }

    async fn subscribe(&mut self, id: String, mut request: Request) -> Step {
        let Peer::Known { principal, .. } = &self.peer else { return Err(End::because(4401, "Unauthorized")) };
        if self.operations.contains_key(&id) {
            return Err(End::Close(4409, format!("Subscriber for {id} already exists").into()));
        }
        if self.operations.len() >= OPERATIONS {
            let mut error = ServerError::new("a socket carries 64 operations at most", None);
            error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", "RATE_LIMITED");
            return self.say(&Said::Error { id: &id, payload: &[error] }).await;
        }
        if operation(&mut request) != Some(OperationType::Subscription) {
            self.commands.insert(id.clone());
        }
        let request = request.data(principal.as_ref().clone()).data(IdempotencyHeader::default()).data(Trace::fresh());
        let answers = self.app.schema.execute_stream(request).map(Some);
        self.operations.insert(id, answers.chain(futures::stream::once(async { None })).boxed());
        Ok(())
    }

    async fn answer(&mut self, id: &str, answer: Option<Response>) -> Step {
        let Some(mut answer) = answer else {
            self.forget(id);
            self.say(&Said::Complete { id }).await?;
            return self.leave();
        };
        code_errors(&mut answer.errors);
        if is_request_error(&answer) {
            self.forget(id);
            return self.say(&Said::Error { id, payload: &answer.errors }).await;
        }
        self.say(&Said::Next { id, payload: &answer }).await
    }

    fn forget(&mut self, id: &str) {
        self.operations.remove(id);
        self.commands.remove(id);
    }

    /// Both kinds of ping: every WebSocket library answers the one by itself, every client of this protocol the other.
    async fn beat(&mut self) -> Step {
        self.silences += 1;
        if self.silences > SILENCES {
            return Err(End::Gone);
        }
        self.send(Message::Ping(axum::body::Bytes::new())).await?;
        match self.peer {
            Peer::Known { .. } => self.say(&Said::Ping).await,
            Peer::Unknown { .. } => Ok(()),
        }
    }

    async fn say(&mut self, said: &Said<'_>) -> Step {
        self.send(Message::text(said.text())).await
    }

    /// Nothing else of this socket moves meanwhile, so what a slow peer does not read is not fetched either.
    async fn send(&mut self, message: Message) -> Step {
        match timeout(PATIENCE, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|_| End::Gone),
            Err(_) => Err(End::because(1013, "too slow: connect again and resume after your last cursor")),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        metrics::gauge!("loquent_sockets").decrement(1.0);
    }
}

fn going() -> End {
    End::because(1012, "this node is shutting down: connect again and resume after your last cursor")
}

/// The longest beginning that a close frame can hold.
fn clip(reason: &str) -> &str {
    let mut end = reason.len().min(REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn a_reason_fits_into_its_frame() {
        assert_eq!(clip("short"), "short");
        let long = format!("x{}", "ä".repeat(100));
        assert_eq!(clip(&long).len(), 123);
        let odd = "ä".repeat(100);
        assert_eq!(clip(&odd).len(), 122);
    }
}
