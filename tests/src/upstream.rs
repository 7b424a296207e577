//! A scripted model server that speaks OpenAI's chat completions, at the pace and with the faults that a test wants.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Response, header};
use axum::routing::post;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What happens next in an answer.
#[derive(Clone, Debug)]
pub enum Step {
    /// A piece of text.
    Say(String),
    /// Nothing, for a while.
    Wait(Duration),
    /// A line that is sent as it stands.
    Raw(String),
    /// A call of this tool with these arguments, as JSON.
    Want(&'static str, String),
    /// `finish_reason: stop`, the usage, `[DONE]`.
    Finish,
    /// As [`Finish`](Self::Finish), where tools are wanted.
    FinishWithTools,
    /// The connection breaks.
    Cut,
    /// Nothing more, ever.
    Hang,
    /// Instead of an answer: this status, with `Retry-After: 1`. Only as the first step.
    Status(u16),
}

/// An answer in words, one a piece, each after the pace.
#[must_use]
pub fn words(count: usize, pace: Duration) -> Vec<Step> {
    let word = |number| [Step::Wait(pace), Step::Say(format!("word{number} "))];
    (0..count).flat_map(word).chain([Step::Finish]).collect()
}

type Script = Arc<dyn Fn(&Value) -> Vec<Step> + Send + Sync>;

/// A running server; it ends with the test.
#[derive(Clone)]
pub struct Upstream {
    /// For `OPENAI_BASE_URL`.
    pub base_url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    bodies: Vec<Bytes>,
    broken_off: Vec<Instant>,
}

#[derive(Clone)]
struct Server {
    script: Script,
    seen: Arc<Mutex<Seen>>,
}

/// An answer under way: where it is dropped before it has ended, the other side has closed the connection.
struct UnderWay {
    seen: Arc<Mutex<Seen>>,
    ended: bool,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.ended {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).broken_off.push(Instant::now());
        }
    }
}

impl Upstream {
    /// Answers every request by what `script` says of its body.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(script: impl Fn(&Value) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let server = Server { script: Arc::new(script), seen: seen.clone() };
        let limit = DefaultBodyLimit::disable();
        let router = Router::new().route("/v1/chat/completions", post(answer)).layer(limit).with_state(server);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base_url, seen }
    }

    /// The bodies of all requests so far, as they came.
    #[must_use]
    pub fn bodies(&self) -> Vec<Bytes> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).bodies.clone()
    }

    /// The bodies of all requests so far.
    ///
    /// # Panics
    /// One is not JSON.
    #[must_use]
    pub fn calls(&self) -> Vec<Value> {
        self.bodies().iter().map(|body| serde_json::from_slice(body).expect("JSON")).collect()
    }

    /// When the other side closed a connection in the middle of an answer.
    #[must_use]
    pub fn broken_off(&self) -> Vec<Instant> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).broken_off.clone()
    }
}

async fn answer(State(server): State<Server>, body: Bytes) -> Response<Body> {
    let steps = (server.script)(&serde_json::from_slice(&body).unwrap_or_default());
    server.seen.lock().unwrap_or_else(PoisonError::into_inner).bodies.push(body);
    if let Some(Step::Status(status)) = steps.first() {
        let refused = Response::builder().status(*status).header(header::RETRY_AFTER, "1");
        return refused.body(Body::from(r#"{"error":{"message":"scripted"}}"#)).unwrap_or_default();
    }
    let under_way = UnderWay { seen: server.seen, ended: false };
    let state = (steps.into_iter().enumerate(), under_way);
    let pieces = futures::stream::unfold(state, async |(mut steps, mut under_way)| {
        let (place, step) = steps.next()?;
        let pieces = take(step, place).await;
        under_way.ended = steps.len() == 0 || pieces.iter().any(Result::is_err);
        Some((futures::stream::iter(pieces), (steps, under_way)))
    });
    let answer = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
    answer.body(Body::from_stream(pieces.flatten())).unwrap_or_default()
}

/// What one step puts on the wire.
async fn take(step: Step, place: usize) -> Vec<Result<Bytes, std::io::Error>> {
    let delta = |text: &str| json!({ "choices": [{ "index": 0, "delta": { "content": text } }] });
    let event = |value: Value| Ok(Bytes::from(format!("data: {value}\n\n")));
    match step {
        Step::Say(text) => vec![event(delta(&text))],
        Step::Raw(line) => vec![Ok(Bytes::from(line))],
        Step::Wait(pause) => {
            tokio::time::sleep(pause).await;
            Vec::new()
        }
        Step::Want(tool, arguments) => {
            let function = json!({ "name": tool, "arguments": arguments });
            let call =
                json!({ "index": place, "id": format!("wanted{place}"), "type": "function", "function": function });
            vec![event(json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] } }] }))]
        }
        Step::Finish => finish("stop"),
        Step::FinishWithTools => finish("tool_calls"),
        Step::Cut => vec![Err(std::io::Error::other("scripted cut"))],
        Step::Hang => match std::future::pending::<Infallible>().await {},
        Step::Status(_) => Vec::new(),
    }
}

fn finish(reason: &str) -> Vec<Result<Bytes, std::io::Error>> {
    let event = |value: Value| Ok(Bytes::from(format!("data: {value}\n\n")));
    vec![
        event(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })),
        event(json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8 } })),
        Ok(Bytes::from_static(b"data: [DONE]\n\n")),
    ]
}
