//! What happens when a broker or a relay goes away.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use database::Database;
use database::testing::sqlite;
use event_log::{EventLog, Settings, relay};
use event_store::EventStore;
use events::MessageId;
use rdkafka::mocking::MockCluster;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Reading, SOON, Seen, kafka, open};
use crate::stream::Stream;

const PREFIX: &str = "outage.";
/// In which another relay goes on, on a machine that does much else: the lease, and a few looks at it.
const REPLACED: Duration = Duration::from_secs(15);

fn cluster() -> (MockCluster<'static, rdkafka::producer::DefaultProducerContext>, Settings) {
    let cluster = MockCluster::new(1).expect("a mock cluster");
    for topic in ["conversations.v1", "chunks.v1", "dead-letters.v1"] {
        cluster.create_topic(&format!("{PREFIX}{topic}"), 4, 1).expect("a topic");
    }
    let url = format!("kafka://{}", cluster.bootstrap_servers());
    (cluster, Settings { url, topic_prefix: PREFIX.into(), ..Settings::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_while_the_broker_is_down_arrives_afterwards() {
    let (cluster, settings) = cluster();
    let log = open(settings, sqlite().await).await;
    let mut reading = Reading::new(log.log.tail().await.unwrap());
    let mut stream = Stream::new(&log.store);
    stream.append_many(10).await;
    reading.until(|reading| reading.events.len() >= 10).await;
    cluster.broker_down(1).unwrap();
    // More than may be in flight.
    stream.append_many(3_000).await;
    let deadline = Instant::now() + SOON;
    while log.log.healthy().await {
        assert!(Instant::now() < deadline, "the broker is not missed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.broker_up(1).unwrap();
    let last = stream.sequence();
    reading.until(|reading| reading.events.iter().any(|record| record.sequence == last)).await;
    let mut seen = Seen::default();
    reading.events.iter().for_each(|record| seen.add(record));
    seen.assert_whole(&[stream.id], last);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_wait_for_a_broker_that_is_down_until_the_queue_is_full() {
    let (cluster, settings) = cluster();
    let log = open(settings, sqlite().await).await;
    cluster.broker_down(1).unwrap();
    let stream = Stream::new(&log.store);
    let message = MessageId::generate();
    let mut accepted = 0;
    let error = loop {
        match log.log.publish_chunk(stream.chunk(message, 1, accepted, 1)).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 1_000_000);
    };
    assert_eq!(error.kind(), events::Kind::Unavailable, "{error}");
    assert!(accepted > 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_opens_while_the_broker_is_down_and_works_when_it_comes() {
    let (cluster, settings) = cluster();
    cluster.broker_down(1).unwrap();
    let log = open(settings, sqlite().await).await;
    let mut stream = Stream::new(&log.store);
    stream.append_many(3).await;
    assert!(!log.log.healthy().await);
    let opening = tokio::spawn({
        let log = log.log.clone();
        async move { log.read(true).await }
    });
    cluster.broker_up(1).unwrap();
    let mut reading = Reading::new(opening.await.unwrap().unwrap());
    reading.until(|reading| reading.events.len() == 3).await;
}

/// Not a test: the relay that the next test starts as a process, to stop and to kill it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by another test"]
async fn a_relay_in_a_process_of_its_own() {
    let Ok(url) = std::env::var("RELAY_STORE") else { return };
    let variable = |name: &str| std::env::var(name).expect("a variable");
    let store = EventStore::new(Database::connect(&url).await.unwrap()).await.unwrap();
    let settings =
        Settings { url: variable("RELAY_LOG"), topic_prefix: variable("RELAY_PREFIX"), ..Settings::default() };
    let log = EventLog::connect(settings, store.clone()).await.unwrap();
    std::fs::write(variable("RELAY_READY"), "").unwrap();
    relay::run(store, log, std::process::id().to_string(), CancellationToken::new()).await.unwrap();
}

/// A relay's process; killed when dropped.
struct Relay(Child);

impl Relay {
    /// Begins to ask for the lease before this answers.
    async fn start(url: &str, settings: &Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "outage::a_relay_in_a_process_of_its_own", "--ignored"])
            .env("RELAY_STORE", url)
            .env("RELAY_LOG", &settings.url)
            .env("RELAY_PREFIX", &settings.topic_prefix)
            .env("RELAY_READY", &ready)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let relay = Self(child.unwrap());
        let deadline = Instant::now() + SOON;
        while !ready.exists() {
            assert!(Instant::now() < deadline, "the relay's process does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        relay
    }

    fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_stopped_is_replaced_and_does_not_disturb_when_it_wakes() {
    let Some(log) = kafka().await else { return };
    log.relay.cancel();
    let mut reading = Reading::new(log.log.tail().await.unwrap());
    let mut stream = Stream::new(&log.store);
    let first = Relay::start(&log.database.url, &log.settings).await;
    stream.append_many(20).await;
    reading.until(|reading| reading.events.len() >= 20).await;
    let second = Relay::start(&log.database.url, &log.settings).await;
    first.signal("-STOP");
    let stopped = Instant::now();
    stream.append_many(20).await;
    reading.until(|reading| reading.events.iter().any(|record| record.sequence == 40)).await;
    assert!(stopped.elapsed() < REPLACED, "{:?}", stopped.elapsed());
    first.signal("-CONT");
    stream.append_many(20).await;
    reading.until(|reading| reading.events.iter().any(|record| record.sequence == 60)).await;
    // Killed, the second one leaves the lease to the first, which goes on where the other was.
    drop(second);
    let killed = Instant::now();
    stream.append_many(20).await;
    reading.until(|reading| reading.events.iter().any(|record| record.sequence == 80)).await;
    assert!(killed.elapsed() < REPLACED, "{:?}", killed.elapsed());
    let mut seen = Seen::default();
    reading.events.iter().for_each(|record| seen.add(record));
    seen.assert_whole(&[stream.id], 80);
}
