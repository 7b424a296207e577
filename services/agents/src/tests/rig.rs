//! Everything around agents: a store, a log with its relay, keys, and a person who asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use commands::{Caller, Catalog, Commands, Outcome, SendMessage};
use database::testing::{TestDatabase, postgres, sqlite};
use database::{Database, sql};
use event_log::{Chunk, EventLog, Item, Tail, relay};
use event_store::EventStore;
use events::{ConversationEvent, ConversationId, Decoded, Field, MessageId, Record, Sealed};
use keyring::{Keyring, MasterKey};

use crate::{Agents, Asked, Exact, Provider, ProviderKind, Settings, exact_request};

const PATIENCE: Duration = Duration::from_secs(30);
const TENANT: &str = "default";

pub(super) struct Rig {
    test: TestDatabase,
    pub(super) store: EventStore,
    pub(super) log: EventLog,
    pub(super) keyring: Keyring,
    pub(super) commands: Commands,
    pub(super) caller: Caller,
    _relay: Option<AbortOnDrop>,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Running agents. Dropping them is a kill: nothing is given back.
pub(super) struct Working {
    shutdown: CancellationToken,
    task: AbortOnDrop,
}

impl Working {
    pub(super) async fn drain(mut self) {
        self.shutdown.cancel();
        (&mut self.task.0).await.expect("no panic");
    }
}

/// SQLite with the embedded log; PostgreSQL with Kafka too, where both are at hand.
pub(super) async fn rigs(model: &str) -> Vec<Rig> {
    let mut rigs = vec![embedded(model).await];
    if let (Ok(brokers), Some(test)) = (std::env::var("TEST_KAFKA_BROKERS"), postgres().await) {
        let settings = event_log::Settings {
            url: format!("kafka://{brokers}"),
            topic_prefix: format!("test-{}.", uuid::Uuid::now_v7().simple()),
            partitions: 3,
            group_session_timeout: Duration::from_secs(6),
            ..event_log::Settings::default()
        };
        rigs.push(Rig::new(test, settings, model).await);
    }
    rigs
}

pub(super) async fn embedded(model: &str) -> Rig {
    Rig::new(sqlite().await, event_log::Settings::default(), model).await
}

/// Settings with one provider, `test`, at this address.
pub(super) fn settings(worker: &str, address: &str) -> Settings {
    let provider = Provider::new(ProviderKind::OpenAi, address);
    Settings {
        worker: worker.into(),
        lease: Duration::from_millis(600),
        offline_pace: Duration::from_millis(2),
        drain: Duration::from_millis(300),
        providers: BTreeMap::from([("test".into(), provider)]),
        ..Settings::default()
    }
}

impl Rig {
    async fn new(test: TestDatabase, log: event_log::Settings, model: &str) -> Self {
        let store = EventStore::new(test.database.clone()).await.expect("store");
        let log = EventLog::connect(log, store.clone()).await.expect("log");
        log.ensure_topics().await.expect("topics");
        let relay = matches!(log, EventLog::Kafka(_)).then(|| {
            let (store, log) = (store.clone(), log.clone());
            AbortOnDrop(tokio::spawn(async move {
                relay::run(store, log, "test".into(), CancellationToken::new()).await.expect("relay");
            }))
        });
        let keyring = Keyring::new(test.database.clone(), MasterKey::generate());
        let commands = Commands::new(store.clone(), keyring.clone(), Arc::new(Catalog::built_in(model)));
        let person = keyring.person(TENANT, "test", "alice").await.expect("person");
        let caller =
            Caller { tenant: TENANT.into(), person, issuer: "test".into(), idempotency_key: None, traceparent: None };
        Self { test, store, log, keyring, commands, caller, _relay: relay }
    }

    /// With other agents.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Catalog)) -> Self {
        let mut catalog = self.commands.catalog().clone();
        change(&mut catalog);
        self.commands = Commands::new(self.store.clone(), self.keyring.clone(), Arc::new(catalog));
        self
    }

    /// A conversation that these agents answer.
    pub(super) async fn conversation(&self, agents: &[&str]) -> ConversationId {
        let agents = Some(agents.iter().map(|name| (*name).to_owned()).collect());
        let input = commands::StartConversation { agents, ..commands::StartConversation::default() };
        self.commands.start_conversation(&self.caller, input).await.expect("started").loaded.id
    }

    /// A sealed field of the conversation.
    pub(super) async fn field(
        &self,
        id: ConversationId,
        owner: impl std::fmt::Display,
        name: &'static str,
        sealed: &Sealed,
    ) -> String {
        let field = Field::new(TENANT, id, owner, name);
        self.keyring.open(sealed, &field).await.expect("opens").expect("not erased")
    }

    pub(super) fn database(&self) -> &Database {
        &self.test.database
    }

    pub(super) fn work(&self, settings: Settings) -> Working {
        let (database, store, log) = (self.test.database.clone(), self.store.clone(), self.log.clone());
        // Each process has its own cache.
        let commands = Commands::new(store.clone(), self.keyring.clone(), Arc::new(self.commands.catalog().clone()));
        let agents = Agents::new(settings, database, store, log, self.keyring.clone(), commands).expect("agents");
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { agents.run(stop).await.expect("agents") });
        Working { shutdown, task: AbortOnDrop(task) }
    }

    pub(super) async fn send(&self, conversation: Option<ConversationId>, text: &str) -> Outcome {
        let message = SendMessage { conversation, text: text.into(), ..SendMessage::default() };
        self.commands.send_message(&self.caller, message).await.expect("sent")
    }

    /// The conversation's events, once `done` is true of them.
    pub(super) async fn wait(&self, id: ConversationId, done: impl Fn(&[ConversationEvent]) -> bool) -> Vec<Record> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let records = self.store.load(id, 0, 1000).await.expect("loaded");
            if done(&known(&records)) {
                return records;
            }
            assert!(tokio::time::Instant::now() < deadline, "{:#?}", names(&records));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The request of a model call, made again.
    pub(super) async fn exact(&self, settings: Settings, asked: Asked) -> crate::Result<Exact> {
        let (database, store, log) = (self.test.database.clone(), self.store.clone(), self.log.clone());
        exact_request(settings, database, store, log, self.keyring.clone(), self.commands.clone(), asked).await
    }

    /// How many rows of this kind the work table has, once that is none or patience ends.
    pub(super) async fn open_work(&self, kind: &str) -> i64 {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let count = sql("select count(*) from work where kind = $1").bind(kind.to_owned());
            let rows: Vec<(i64,)> = self.test.database.fetch_all(count).await.expect("counted");
            if rows[0].0 == 0 || tokio::time::Instant::now() > deadline {
                return rows[0].0;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn open(
        &self,
        id: ConversationId,
        message: MessageId,
        name: &'static str,
        sealed: &Sealed,
    ) -> String {
        let field = Field::new(TENANT, id, message, name);
        self.keyring.open(sealed, &field).await.expect("opens").expect("not erased")
    }

    /// The text of a chunk.
    pub(super) async fn delta(&self, chunk: &Chunk) -> String {
        let data = &chunk.data;
        let field = Field::new(TENANT, chunk.conversation, data.message, "delta").of_chunk(data.epoch, data.index);
        self.keyring.open(&data.delta, &field).await.expect("opens").expect("not erased")
    }
}

/// Chunks of a conversation until `done` is true of them.
pub(super) async fn chunks_until(
    tail: &mut Tail,
    id: ConversationId,
    done: impl Fn(&[Arc<Chunk>]) -> bool,
) -> Vec<Arc<Chunk>> {
    let mut chunks = Vec::new();
    let read = async {
        while !done(&chunks) {
            let items = tail.next().await.expect("tail").into_iter();
            chunks.extend(items.filter_map(|item| match item {
                Item::Chunk(chunk) if chunk.conversation == id => Some(chunk),
                _ => None,
            }));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("chunks in time");
    chunks
}

pub(super) fn known(records: &[Record]) -> Vec<ConversationEvent> {
    let events = records.iter().map(|record| record.event().expect("decodes"));
    events.filter_map(|event| if let Decoded::Known(event) = event { Some(event) } else { None }).collect()
}

pub(super) fn names(records: &[Record]) -> Vec<&'static str> {
    known(records).iter().map(ConversationEvent::name).collect()
}

/// How many turns have ended.
pub(super) fn ended(events: &[ConversationEvent]) -> usize {
    let is_end = |event: &&ConversationEvent| {
        use ConversationEvent::{TurnCompleted, TurnFailed, TurnStopped};
        matches!(event, TurnCompleted(_) | TurnFailed(_) | TurnStopped(_))
    };
    events.iter().filter(is_end).count()
}
