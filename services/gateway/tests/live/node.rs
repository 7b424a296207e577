//! A gateway that listens and follows its log.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use commands::requests::{SendMessage, StartConversation};
use commands::{Caller, Catalog, Commands};
use database::testing::TestDatabase;
use event_log::EventLog;
use event_store::EventStore;
use events::{ConversationId, MessageId};
use gateway::health::Health;
use gateway::{Deps, Gateway, Settings};
use http::{Request, header};
use keyring::{Keyring, MasterKey};
use projections::ReadModel;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::scribe::Tools;

pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";

pub(crate) struct Node {
    pub(crate) router: axum::Router,
    pub(crate) address: String,
    pub(crate) keyring: Keyring,
    pub(crate) commands: Commands,
    pub(crate) store: EventStore,
    pub(crate) log: EventLog,
    pub(crate) stop: CancellationToken,
    database: Arc<TestDatabase>,
}

impl From<&Node> for Tools {
    fn from(node: &Node) -> Self {
        Self { commands: node.commands.clone(), keyring: node.keyring.clone(), log: node.log.clone() }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Node {
    pub(crate) async fn start() -> Self {
        let opened = database::testing::sqlite().await;
        let keyring = Keyring::new(opened.database.clone(), MasterKey::generate());
        Self::over(Arc::new(opened), keyring).await
    }

    /// Stops, and starts again: what was in memory only is gone, chunks among it.
    pub(crate) async fn restart(self) -> Self {
        self.stop.cancel();
        Self::over(self.database.clone(), self.keyring.clone()).await
    }

    async fn over(opened: Arc<TestDatabase>, keyring: Keyring) -> Self {
        let database = opened.database.clone();
        let store = EventStore::new(database.clone()).await.unwrap();
        let settings = event_log::Settings { url: "embedded:".into(), ..event_log::Settings::default() };
        let log = EventLog::connect(settings, store.clone()).await.unwrap();
        let commands = Commands::new(store.clone(), keyring.clone(), Arc::new(Catalog::built_in("offline")));
        let deps = Deps {
            store: store.clone(),
            log: log.clone(),
            keyring: keyring.clone(),
            commands: commands.clone(),
            read_model: ReadModel::new(database.clone()),
            health: Health::new(),
            metrics: None,
        };
        let gateway = Gateway::new(Settings::new(SECRET), deps).unwrap();
        let (router, stop) = (gateway.router(), CancellationToken::new());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(gateway.serve(listener, stop.clone()));
        tokio::spawn(projections::run(database, store.clone(), log.clone(), stop.clone()));
        Self { router, address, keyring, commands, store, log, stop, database: opened }
    }

    pub(crate) fn token(&self, subject: &str, lifetime: Duration) -> String {
        gateway::auth::issue(SECRET, subject, "default", lifetime).unwrap()
    }

    pub(crate) async fn caller(&self, subject: &str) -> Caller {
        let person = self.keyring.person("default", "loquent", subject).await.unwrap();
        let (tenant, issuer) = ("default".into(), "loquent".into());
        Caller { tenant, person, issuer, idempotency_key: None, traceparent: None }
    }

    /// A conversation of Alice and the default agent.
    pub(crate) async fn conversation(&self) -> ConversationId {
        let outcome = self.commands.start_conversation(&self.caller("alice").await, StartConversation::default()).await;
        outcome.unwrap().loaded.id
    }

    /// Alice says something; the message and the cursor after it.
    pub(crate) async fn say(&self, conversation: ConversationId, text: &str) -> (MessageId, u64) {
        let input = SendMessage { conversation: Some(conversation), text: text.into(), ..SendMessage::default() };
        let outcome = self.commands.send_message(&self.caller("alice").await, input).await.unwrap();
        let events::Decoded::Known(events::ConversationEvent::MessageSent(sent)) = outcome.records[0].event().unwrap()
        else {
            panic!("a message was sent")
        };
        (sent.message, outcome.sequence())
    }

    /// An operation as an event stream.
    pub(crate) async fn stream(&self, token: Option<&str>, body: &Value, last_event_id: Option<&str>) -> Response {
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream");
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        let request = match last_event_id {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        self.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap()
    }

    pub(crate) async fn ask(&self, subject: &str, query: &str, variables: Value) -> Value {
        let token = self.token(subject, Duration::from_secs(60));
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let body = json!({ "query": query, "variables": variables }).to_string();
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        serde_json::from_slice(&axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
    }
}
