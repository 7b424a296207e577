//! The logs that are at hand, each with a fresh store; and waiting, with a deadline.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use database::testing::{TestDatabase, databases, postgres};
use event_log::{Batch, Chunk, Consumer, EventLog, Item, Received, Settings, Tail, relay};
use event_store::{Checkpoints, EventStore};
use events::{ConversationId, Record};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What everything has to happen within.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Few: every test makes topics of its own.
pub(crate) const PARTITIONS: i32 = 4;

pub(crate) struct Log {
    pub(crate) log: EventLog,
    pub(crate) store: EventStore,
    pub(crate) settings: Settings,
    pub(crate) database: TestDatabase,
    /// The relay ends with the test.
    pub(crate) relay: CancellationToken,
    _guard: DropGuard,
}

pub(crate) async fn logs() -> Vec<Log> {
    let mut all = Vec::new();
    for database in databases().await {
        all.push(open(Settings::default(), database).await);
    }
    all.extend(kafka().await);
    all
}

/// Kafka with a relay, if there are servers.
pub(crate) async fn kafka() -> Option<Log> {
    let settings = kafka_settings()?;
    let log = open(settings, postgres().await?).await;
    log.log.ensure_topics().await.expect("topics");
    Some(log)
}

pub(crate) fn kafka_settings() -> Option<Settings> {
    let brokers = std::env::var("TEST_KAFKA_BROKERS").ok()?;
    let prefix = format!("log-test-{}.", uuid());
    Some(Settings {
        url: format!("kafka://{brokers}"),
        topic_prefix: prefix,
        partitions: PARTITIONS,
        group_session_timeout: Duration::from_secs(6),
        ..Settings::default()
    })
}

fn uuid() -> String {
    ConversationId::generate().uuid().simple().to_string()
}

pub(crate) async fn open(settings: Settings, database: TestDatabase) -> Log {
    let store = EventStore::new(database.database.clone()).await.expect("store");
    let log = EventLog::connect(settings.clone(), store.clone()).await.expect("log");
    let relay = CancellationToken::new();
    let guard = relay.clone().drop_guard();
    tokio::spawn(relay::run(store.clone(), log.clone(), "test".into(), relay.clone()));
    Log { log, store, settings, database, relay, _guard: guard }
}

impl Log {
    pub(crate) fn checkpoints(&self, group: &str) -> Checkpoints {
        Checkpoints::new(self.database.database.clone(), group)
    }

    pub(crate) async fn consumer(&self, group: &str) -> Consumer {
        self.log.consumer(group, self.checkpoints(group)).await.expect("consumer")
    }

    pub(crate) fn is_kafka(&self) -> bool {
        matches!(self.log, EventLog::Kafka(_))
    }

    /// Stores a batch's checkpoint as a processor does; false: it was moved by somebody else.
    pub(crate) async fn advance(&self, group: &str, batch: &Batch) -> bool {
        let mut tx = self.database.database.begin().await.expect("begin");
        let checkpoints = self.checkpoints(group);
        let moved = checkpoints.advance_all(&mut tx, &batch.steps).await;
        let moved = moved.expect("advance");
        if moved {
            tx.commit().await.expect("commit");
        }
        moved
    }
}

/// A reader that keeps what it has read.
pub(crate) struct Reading {
    tail: Tail,
    pub(crate) events: Vec<Arc<Record>>,
    pub(crate) chunks: Vec<Arc<Chunk>>,
    /// Both, in the order in which they came: `e<sequence>` and `c<index>`.
    pub(crate) order: Vec<String>,
}

impl Reading {
    pub(crate) fn new(tail: Tail) -> Self {
        Self { tail, events: Vec::new(), chunks: Vec::new(), order: Vec::new() }
    }

    pub(crate) async fn until(&mut self, enough: impl Fn(&Self) -> bool) {
        let read = async {
            while !enough(self) {
                for item in self.tail.next().await.expect("tail") {
                    match item {
                        Item::Event(record) => {
                            self.order.push(format!("e{}", record.sequence));
                            self.events.push(record);
                        }
                        Item::Chunk(chunk) => {
                            self.order.push(format!("c{}", chunk.data.index));
                            self.chunks.push(chunk);
                        }
                    }
                }
            }
        };
        let done = timeout(SOON, read).await;
        assert!(done.is_ok(), "read {} events and {} chunks", self.events.len(), self.chunks.len());
    }
}

pub(crate) async fn next(consumer: &mut Consumer) -> Batch {
    timeout(SOON, consumer.next()).await.expect("a batch in time").expect("a batch")
}

pub(crate) fn records(batch: &Batch) -> Vec<Arc<Record>> {
    let record = |received: &Received| match received {
        Received::Record { record, .. } => Some(Arc::clone(record)),
        Received::Undecodable(_) => None,
    };
    batch.records.iter().filter_map(record).collect()
}

/// Sequences by conversation, in the order in which they came.
#[derive(Default)]
pub(crate) struct Seen(pub(crate) HashMap<ConversationId, Vec<u64>>);

impl Seen {
    pub(crate) fn add(&mut self, record: &Record) {
        self.0.entry(record.subject).or_default().push(record.sequence);
    }

    pub(crate) fn total(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Each conversation whole and in order; a repetition of what was there already is allowed.
    pub(crate) fn assert_whole(&self, streams: &[ConversationId], last: u64) {
        for stream in streams {
            let mut expected = 1;
            for &sequence in self.0.get(stream).map_or(&[][..], Vec::as_slice) {
                assert!(sequence <= expected, "{stream}: {sequence} where {expected} belongs");
                expected = expected.max(sequence + 1);
            }
            assert_eq!(expected, last + 1, "{stream}");
        }
    }
}
