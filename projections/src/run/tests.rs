use std::time::Instant;

use database::testing::{TestDatabase, databases};
use event_log::Settings;
use event_store::Step;
use events::Record;
use events::event::ConversationArchived;

use super::*;
use crate::ReadModel;
use crate::testing::{Story, dump};

fn batch(records: &[Record], previous: Option<&str>, next: &str) -> Batch {
    let received = |record: &Record| Received::Record { record: Arc::new(record.clone()), traceparent: None };
    let records = records.iter().map(received).collect();
    Batch { steps: vec![Step { partition: 3, previous: previous.map(str::to_owned), next: next.into() }], records }
}

async fn attempt(test: &TestDatabase, batch: &Batch) -> Result<Outcome> {
    let entry = |received: &Received| match received {
        Received::Record { record, .. } => Entry::of(Arc::clone(record)),
        Received::Undecodable(_) => unreachable!(),
    };
    let entries: Vec<_> = batch.records.iter().map(entry).collect();
    let checkpoints = Checkpoints::new(test.database.clone(), CONSUMER);
    write(&test.database, &checkpoints, batch, &entries).await
}

#[tokio::test]
async fn rows_and_checkpoint_move_together() {
    for test in databases().await {
        let story = Story::eventful();
        let checkpoints = Checkpoints::new(test.database.clone(), CONSUMER);
        let (first, second) = story.records.split_at(4);
        assert_eq!(attempt(&test, &batch(first, None, "4")).await.unwrap(), Outcome::Applied);
        assert_eq!(attempt(&test, &batch(second, Some("4"), "9")).await.unwrap(), Outcome::Applied);
        assert_eq!(checkpoints.load(&[3]).await.unwrap()[&3], "9");
        let model = ReadModel::new(test.database.clone());
        let row = model.conversation("default", story.person, story.id).await.unwrap().unwrap();
        assert_eq!((row.sequence, row.participants), (story.records.len() as u64, vec![story.person]));
    }
}

#[tokio::test]
async fn however_events_are_cut_into_batches_the_rows_are_the_same() {
    for at_once in [1, 2, 3, 7, 100] {
        let story = Story::eventful();
        let mut dumps = Vec::new();
        for test in databases().await {
            let mut previous = None;
            for (number, records) in story.records.chunks(at_once).enumerate() {
                let next = number.to_string();
                let outcome = attempt(&test, &batch(records, previous.as_deref(), &next)).await.unwrap();
                assert_eq!(outcome, Outcome::Applied);
                previous = Some(next);
            }
            let whole = database::testing::sqlite().await;
            attempt(&whole, &batch(&story.records, None, "1")).await.unwrap();
            dumps.push(dump(&test.database).await);
            dumps.push(dump(&whole.database).await);
        }
        assert!(dumps.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

#[tokio::test]
async fn a_batch_that_is_delivered_again_changes_nothing() {
    for test in databases().await {
        let story = Story::eventful();
        attempt(&test, &batch(&story.records, None, "a")).await.unwrap();
        let before = dump(&test.database).await;
        assert_eq!(attempt(&test, &batch(&story.records, Some("a"), "b")).await.unwrap(), Outcome::Applied);
        assert_eq!(attempt(&test, &batch(&story.records[3..7], Some("b"), "c")).await.unwrap(), Outcome::Applied);
        assert_eq!(dump(&test.database).await, before);
    }
}

#[tokio::test]
async fn whoever_does_not_find_the_checkpoint_writes_nothing() {
    for test in databases().await {
        let story = Story::eventful();
        attempt(&test, &batch(&story.records[..2], None, "a")).await.unwrap();
        let before = dump(&test.database).await;
        for previous in [None, Some("z")] {
            let outcome = attempt(&test, &batch(&story.records[2..], previous, "b")).await.unwrap();
            assert_eq!(outcome, Outcome::Moved);
        }
        assert_eq!(dump(&test.database).await, before);
    }
}

#[tokio::test]
async fn a_gap_stops_the_batch_and_leaves_rows_and_checkpoint() {
    for test in databases().await {
        let (story, other) = (Story::eventful(), Story::eventful());
        attempt(&test, &batch(&story.records[..2], None, "a")).await.unwrap();
        let before = dump(&test.database).await;
        let mut records = other.records.clone();
        records.extend_from_slice(&story.records[3..]);
        let error = attempt(&test, &batch(&records, Some("a"), "b")).await.unwrap_err();
        assert!(matches!(error, Error::Gap { stands: 2, found: 4, .. }), "{error}");
        assert_eq!(dump(&test.database).await, before);
        let checkpoints = Checkpoints::new(test.database.clone(), CONSUMER);
        assert_eq!(checkpoints.load(&[3]).await.unwrap()[&3], "a");
    }
}

#[tokio::test]
async fn of_two_projectors_with_the_same_batch_one_writes() {
    for test in databases().await {
        let story = Story::eventful();
        let batch = batch(&story.records, None, "a");
        let (one, other) = tokio::join!(attempt(&test, &batch), attempt(&test, &batch));
        let outcomes = [one.unwrap(), other.unwrap()];
        assert!(outcomes.contains(&Outcome::Applied) && outcomes.contains(&Outcome::Moved), "{outcomes:?}");
    }
}

/// A node of one process: store, embedded log, projectors.
struct Node {
    test: TestDatabase,
    store: EventStore,
    log: EventLog,
    model: ReadModel,
    shutdown: CancellationToken,
}

impl Node {
    async fn start(test: TestDatabase) -> Self {
        let store = EventStore::new(test.database.clone()).await.unwrap();
        let log = EventLog::connect(Settings::default(), store.clone()).await.unwrap();
        let model = ReadModel::new(test.database.clone());
        Self { test, store, log, model, shutdown: CancellationToken::new() }
    }

    fn project(&self) -> tokio::task::JoinHandle<Result<()>> {
        tokio::spawn(run(self.test.database.clone(), self.store.clone(), self.log.clone(), self.shutdown.clone()))
    }

    async fn reaches(&self, story: &Story) -> bool {
        self.model.wait_for(story.id, story.records.len() as u64, Duration::from_secs(20)).await.unwrap()
    }
}

#[tokio::test]
async fn several_projectors_follow_the_log_until_the_shutdown() {
    for test in databases().await {
        let node = Node::start(test).await;
        let projectors = [node.project(), node.project()];
        let mut stories: Vec<_> = (0..20).map(|_| Story::eventful()).collect();
        for story in &stories {
            story.append(&node.store).await;
        }
        for story in &mut stories {
            let stands = story.records.len();
            story.say("one more");
            story.append_from(&node.store, stands).await;
        }
        for story in &stories {
            assert!(node.reaches(story).await);
        }
        node.shutdown.cancel();
        for projector in projectors {
            projector.await.unwrap().unwrap();
        }
        let live = dump(&node.test.database).await;
        crate::rebuild(&node.test.database, &node.store, |_| {}).await.unwrap();
        assert_eq!(dump(&node.test.database).await, live);
    }
}

#[tokio::test]
async fn an_event_whose_data_cannot_be_read_is_put_aside_and_the_next_goes_on() {
    for test in databases().await {
        let node = Node::start(test).await;
        let mut story = Story::new();
        story.tell_data("dev.loquent.message.sent.v1", serde_json::json!({ "message": 7 }));
        story.tell(ConversationArchived {});
        story.append(&node.store).await;
        let projector = node.project();
        assert!(node.reaches(&story).await);
        node.shutdown.cancel();
        projector.await.unwrap().unwrap();
        let live = dump(&node.test.database).await;
        crate::rebuild(&node.test.database, &node.store, |_| {}).await.unwrap();
        assert_eq!(dump(&node.test.database).await, live);
    }
}

#[tokio::test]
async fn a_gap_holds_the_projector_until_a_rebuild_heals_it() {
    for test in databases().await {
        let node = Node::start(test).await;
        let mut story = Story::eventful();
        story.append(&node.store).await;
        // The rows are behind what the checkpoint says.
        let checkpoints = Checkpoints::new(node.test.database.clone(), CONSUMER);
        // Transactions of other tests in the same cluster hold the tail back.
        while node.store.tail_delay().await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let end = node.store.tail_end().await.unwrap().to_string();
        let mut tx = node.test.database.begin().await.unwrap();
        assert!(checkpoints.advance(&mut tx, 0, None, &end).await.unwrap());
        tx.commit().await.unwrap();
        let stands = story.records.len();
        story.say("too early");
        story.append_from(&node.store, stands).await;
        let projector = node.project();
        let held = node.model.wait_for(story.id, 1, Duration::from_millis(400)).await.unwrap();
        assert!(!held && !projector.is_finished());
        crate::rebuild(&node.test.database, &node.store, |_| {}).await.unwrap();
        story.say("later");
        story.append_from(&node.store, stands + 1).await;
        assert!(node.reaches(&story).await);
        node.shutdown.cancel();
        projector.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_projector_ends_when_it_is_told_to_while_a_batch_fails() {
    let node = Node::start(database::testing::sqlite().await).await;
    let mut story = Story::new();
    story.say("lost");
    story.append(&node.store).await;
    node.test.database.execute(database::sql("drop table turns")).await.unwrap();
    story.ask();
    story.append_from(&node.store, 2).await;
    let projector = node.project();
    assert!(!node.model.wait_for(story.id, 9, Duration::from_millis(300)).await.unwrap());
    node.shutdown.cancel();
    let begun = Instant::now();
    projector.await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_dead_letter_names_the_event_that_it_stands_for() {
    let id = ConversationId::generate();
    let letter = |key: &str, sequence: &str| DeadLetter {
        key: Some(key.into()),
        value: None,
        headers: vec![("ce_sequence".into(), Some(sequence.into()))],
        topic: "conversations.v1".into(),
        partition: 0,
        offset: "1".into(),
        reason: "why".into(),
        consumer: CONSUMER.into(),
    };
    assert_eq!(event_of(&letter(&id.to_string(), "00000000000000000012")), Some((id, 12)));
    assert_eq!(event_of(&letter("x", "12")), None);
    assert_eq!(event_of(&letter(&id.to_string(), "x")), None);
}

#[tokio::test]
async fn the_lag_is_what_the_store_has_and_the_rows_have_not() {
    for test in databases().await {
        let store = EventStore::new(test.database.clone()).await.unwrap();
        assert_eq!(lag::lag(&test.database, &store).await.unwrap(), (0, Duration::ZERO));
        let (known, unknown) = (Story::eventful(), Story::new());
        for story in [&known, &unknown] {
            story.append(&store).await;
        }
        attempt(&test, &batch(&known.records[..4], None, "a")).await.unwrap();
        let (events, age) = lag::lag(&test.database, &store).await.unwrap();
        assert_eq!(events, known.records.len() - 4 + 1);
        assert!(age > Duration::ZERO && age < Duration::from_secs(60), "{age:?}");
        attempt(&test, &batch(&known.records[4..], Some("a"), "b")).await.unwrap();
        assert_eq!(lag::lag(&test.database, &store).await.unwrap().0, 1);
    }
}

/// Needs `TEST_DATABASE_URL` and `TEST_KAFKA_BROKERS`.
#[tokio::test(flavor = "multi_thread")]
async fn projectors_share_the_partitions_of_a_broker() {
    let (Some(test), Ok(brokers)) = (database::testing::postgres().await, std::env::var("TEST_KAFKA_BROKERS")) else {
        return;
    };
    let store = EventStore::new(test.database.clone()).await.unwrap();
    let topic_prefix = format!("test-{}.", uuid::Uuid::now_v7().simple());
    let settings = Settings { url: format!("kafka://{brokers}"), topic_prefix, partitions: 4, ..Settings::default() };
    let log = EventLog::connect(settings, store.clone()).await.unwrap();
    log.ensure_topics().await.unwrap();
    let shutdown = CancellationToken::new();
    let relay = event_log::relay::run(store.clone(), log.clone(), "relay-1".into(), shutdown.clone());
    let relay = tokio::spawn(relay);
    let project = |shutdown: &CancellationToken| {
        tokio::spawn(run(test.database.clone(), store.clone(), log.clone(), shutdown.clone()))
    };
    let (first, second) = (shutdown.child_token(), shutdown.child_token());
    let projectors = [project(&first), project(&second)];
    let model = ReadModel::new(test.database.clone());
    let mut stories: Vec<_> = (0..30).map(|_| Story::eventful()).collect();
    for story in &stories {
        story.append(&store).await;
    }
    // One of them leaves in the middle.
    assert!(model.wait_for(stories[15].id, 5, Duration::from_secs(60)).await.unwrap());
    first.cancel();
    for story in &mut stories {
        let stands = story.records.len();
        story.ask();
        story.append_from(&store, stands).await;
    }
    for story in &stories {
        let last = story.records.len() as u64;
        assert!(model.wait_for(story.id, last, Duration::from_secs(60)).await.unwrap());
    }
    shutdown.cancel();
    for projector in projectors {
        projector.await.unwrap().unwrap();
    }
    relay.await.unwrap().unwrap();
    let live = dump(&test.database).await;
    crate::rebuild(&test.database, &store, |_| {}).await.unwrap();
    assert_eq!(dump(&test.database).await, live);
    assert!(Checkpoints::new(test.database.clone(), CONSUMER).all().await.unwrap().len() > 1);
}
