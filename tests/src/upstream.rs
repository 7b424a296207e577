//! A scripted model server that speaks OpenAI's chat completions, at the pace and with the faults that a test wants.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, header};
use axum::routing::post;
use axum::{Json, Router};
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
    /// `finish_reason: stop`, the usage, `[DONE]`.
    Finish,
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
    calls: Arc<Mutex<Vec<Value>>>,
}

#[derive(Clone)]
struct Server {
    script: Script,
    calls: Arc<Mutex<Vec<Value>>>,
}

impl Upstream {
    /// Answers every request by what `script` says of its body.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(script: impl Fn(&Value) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let server = Server { script: Arc::new(script), calls: calls.clone() };
        let router = Router::new().route("/v1/chat/completions", post(answer)).with_state(server);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base_url, calls }
    }

    /// The bodies of all requests so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Value> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(State(server): State<Server>, Json(body): Json<Value>) -> Response<Body> {
    let steps = (server.script)(&body);
    server.calls.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    if let Some(Step::Status(status)) = steps.first() {
        let refused = Response::builder().status(*status).header(header::RETRY_AFTER, "1");
        return refused.body(Body::from(r#"{"error":{"message":"scripted"}}"#)).unwrap_or_default();
    }
    let pieces = futures::stream::iter(steps).then(take).flat_map(futures::stream::iter);
    let answer = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
    answer.body(Body::from_stream(pieces)).unwrap_or_default()
}

/// What one step puts on the wire.
async fn take(step: Step) -> Vec<Result<Bytes, std::io::Error>> {
    let delta = |text: &str| json!({ "choices": [{ "index": 0, "delta": { "content": text } }] });
    let event = |value: Value| Ok(Bytes::from(format!("data: {value}\n\n")));
    match step {
        Step::Say(text) => vec![event(delta(&text))],
        Step::Raw(line) => vec![Ok(Bytes::from(line))],
        Step::Wait(pause) => {
            tokio::time::sleep(pause).await;
            Vec::new()
        }
        Step::Finish => vec![
            event(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] })),
            event(json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8 } })),
            Ok(Bytes::from_static(b"data: [DONE]\n\n")),
        ],
        Step::Cut => vec![Err(std::io::Error::other("scripted cut"))],
        Step::Hang => match std::future::pending::<Infallible>().await {},
        Step::Status(_) => Vec::new(),
    }
}
