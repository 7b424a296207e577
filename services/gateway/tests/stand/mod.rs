//! A gateway on an embedded node, without sockets: on SQLite, and on PostgreSQL where `TEST_DATABASE_URL` names one.
#![allow(dead_code, unreachable_pub, reason = "shared by several test files, each of which uses a part of it")]

pub mod scribe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use commands::{Catalog, Commands};
use database::testing::TestDatabase;
use event_log::EventLog;
use event_store::EventStore;
use gateway::health::Health;
use gateway::{Deps, Gateway, Settings};
use http::{Request, StatusCode, header};
use keyring::{Keyring, MasterKey};
use projections::ReadModel;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub const SECRET: &str = "a secret of at least thirty-two bytes";

pub struct Stand {
    pub router: axum::Router,
    pub keyring: Keyring,
    pub commands: Commands,
    pub store: EventStore,
    pub log: EventLog,
    pub database: TestDatabase,
    settings: Settings,
    deps: Deps,
    projector: CancellationToken,
}

impl From<&Stand> for scribe::Tools {
    fn from(stand: &Stand) -> Self {
        Self { commands: stand.commands.clone(), keyring: stand.keyring.clone(), log: stand.log.clone() }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.projector.cancel();
    }
}

impl Stand {
    pub async fn start() -> Self {
        Self::with(Settings::new(SECRET)).await
    }

    pub async fn with(settings: Settings) -> Self {
        let stand = Self::without_projector(settings).await;
        stand.project();
        stand
    }

    pub async fn without_projector(settings: Settings) -> Self {
        Self::of(settings, Catalog::built_in("offline")).await
    }

    /// With these agents and approvers; nothing fills the read model.
    pub async fn of(settings: Settings, catalog: Catalog) -> Self {
        let database = match database::testing::postgres().await {
            Some(database) => database,
            None => database::testing::sqlite().await,
        };
        let keyring = Keyring::new(database.database.clone(), MasterKey::generate());
        let store = EventStore::new(database.database.clone()).await.expect("a store");
        let log = EventLog::connect(log_settings(), store.clone()).await.expect("a log");
        let commands = Commands::new(store.clone(), keyring.clone(), Arc::new(catalog));
        let deps = Deps {
            store: store.clone(),
            log: log.clone(),
            keyring: keyring.clone(),
            commands: commands.clone(),
            read_model: ReadModel::new(database.database.clone()),
            health: Health::new(),
            metrics: None,
        };
        let router = Gateway::new(settings.clone(), deps.clone()).expect("a gateway").router();
        Self { router, keyring, commands, store, log, database, settings, deps, projector: CancellationToken::new() }
    }

    /// The same doors at a port of their own; the handle ends when all is drained.
    pub async fn serve(&self, shutdown: CancellationToken) -> (std::net::SocketAddr, JoinHandle<gateway::Result<()>>) {
        let gateway = Gateway::new(self.settings.clone(), self.deps.clone()).expect("a gateway");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        (address, tokio::spawn(gateway.serve(listener, shutdown)))
    }

    pub fn project(&self) {
        let (database, store, log) = (self.database.database.clone(), self.store.clone(), self.log.clone());
        let stop = self.projector.clone();
        tokio::spawn(async move { projections::run(database, store, log, stop).await.expect("projections") });
    }

    pub fn person(&self, subject: &str) -> Person<'_> {
        self.person_of("default", subject)
    }

    pub fn person_of(&self, tenant: &str, subject: &str) -> Person<'_> {
        let token = gateway::auth::issue(SECRET, subject, tenant, Duration::from_secs(600)).expect("a token");
        Person { stand: self, token: Some(token), headers: Vec::new() }
    }

    pub fn nobody(&self) -> Person<'_> {
        Person { stand: self, token: None, headers: Vec::new() }
    }

    pub async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }
}

fn log_settings() -> event_log::Settings {
    event_log::Settings { url: "embedded:".into(), ..event_log::Settings::default() }
}

/// Somebody with a token, or without.
pub struct Person<'s> {
    stand: &'s Stand,
    pub token: Option<String>,
    headers: Vec<(&'static str, String)>,
}

impl Person<'_> {
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub async fn raw(&self, body: &Value) -> Response {
        let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        self.stand.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// The whole answer to a document.
    pub async fn answer(&self, query: &str, variables: Value) -> Value {
        let response = self.raw(&json!({ "query": query, "variables": variables })).await;
        assert_eq!(response.status(), StatusCode::OK);
        body(response).await
    }

    /// The data of an answer without errors.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.answer(query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        answer["data"].take()
    }

    /// The code of an answer's one error.
    pub async fn code(&self, query: &str, variables: Value) -> String {
        let answer = self.answer(query, variables).await;
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        assert_eq!(errors.len(), 1, "{answer:#}");
        errors[0]["extensions"]["code"].as_str().expect("a code").to_owned()
    }

    pub async fn start(&self, input: Value) -> Value {
        let query = "mutation ($input: StartConversationInput!) { startConversation(input: $input) { \
            conversation { id title sequence participants agents { name } } cursor errors { code } clientMutationId } }";
        self.ask(query, json!({ "input": input })).await["startConversation"].take()
    }

    /// A conversation's id and the cursor after its start.
    pub async fn conversation(&self) -> (String, String) {
        let started = self.start(json!({ "agents": [] })).await;
        (text(&started["conversation"]["id"]), text(&started["cursor"]))
    }

    /// A conversation with a message that the default agent will answer; nobody has begun to.
    pub async fn question(&self) -> (events::ConversationId, events::MessageId) {
        let sent = self.ask(SEND, json!({ "input": { "text": "hello" } })).await["sendMessage"].take();
        let conversation = text(&sent["conversation"]["id"]).parse().expect("an id");
        (conversation, text(&sent["message"]["id"]).parse().expect("an id"))
    }

    pub async fn say(&self, conversation: &str, words: &str) -> Value {
        let input = json!({ "conversationId": conversation, "text": words });
        self.ask(SEND, json!({ "input": input })).await["sendMessage"].take()
    }
}

pub const SEND: &str = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { \
    message { id role author text erased status messageType metadata createdAt completedAt conversation { id } run { id } } \
    conversation { id sequence } cursor errors { code message path __typename } clientMutationId } }";

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

pub async fn body(response: Response) -> Value {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&bytes)))
}

/// Polls until it is there.
pub async fn eventually<T>(mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
