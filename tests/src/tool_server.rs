//! A scripted server of tools: it keeps what was asked, and answers when the test wants it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A running server; it ends with the test.
#[derive(Clone)]
pub struct ToolServer {
    /// `http://127.0.0.1:…`
    pub address: String,
    seen: Arc<Mutex<Vec<Asked>>>,
    open: watch::Sender<bool>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its path and query.
    pub path: String,
    /// Its `Idempotency-Key`: the tool call's id.
    pub key: String,
    /// Its body; null where there is none.
    pub body: Value,
}

impl ToolServer {
    /// Answers every request with `{"n": 7}` after a pause.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Self { address, seen: Arc::default(), open: watch::Sender::new(true) };
        let router = Router::new().fallback(answer).with_state((server.clone(), pause));
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// Answers nothing until [`open`](Self::open).
    pub fn close(&self) {
        self.open.send_replace(false);
    }

    /// Answers what waits, and what comes.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// All requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often each tool call was asked for.
    #[must_use]
    pub fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for asked in self.asked() {
            *times.entry(asked.key).or_default() += 1;
        }
        times
    }

    /// Tables of a `loquent.toml` with a tool `note`, which writes, and `look`, which reads; nobody has to agree to either.
    #[must_use]
    pub fn tools(&self) -> String {
        let Self { address, .. } = self;
        format!(
            "[egress]\nallow = [\"127.0.0.0/8\"]\n\
             [tools.note]\nkind = \"http\"\ndescription = \"Writes a note\"\nmethod = \"POST\"\nurl = \"{address}/notes\"\n\
             parameters = {{ type = \"object\", properties = {{ text = {{ type = \"string\" }} }}, required = [\"text\"] }}\n\
             approval = \"auto\"\n\
             [tools.look]\nkind = \"http\"\ndescription = \"Reads a note\"\nmethod = \"GET\"\nurl = \"{address}/look\"\n\
             parameters = {{ type = \"object\", properties = {{ q = {{ type = \"string\" }} }}, required = [\"q\"] }}\n"
        )
    }
}

async fn answer(
    State((server, pause)): State<(ToolServer, Duration)>,
    headers: HeaderMap,
    request: Request,
) -> axum::Json<Value> {
    let path = request.uri().to_string();
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    server.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { path, key, body });
    tokio::time::sleep(pause).await;
    let _ = server.open.subscribe().wait_for(|open| *open).await;
    axum::Json(json!({ "n": 7 }))
}
