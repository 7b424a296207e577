use std::time::Duration;

use database::Database;
use database::testing::databases;
use events::{ConversationId, EventId, MessageId, RunId};

use super::*;

const LEASE: Duration = Duration::from_secs(30);

fn work(conversation: ConversationId, task: Task, sequence: Sequence) -> Work {
    Work {
        conversation,
        task,
        sequence,
        cause: EventId::generate(),
        correlation: EventId::generate(),
        traceparent: Some("00-a".into()),
        tenant: "default".into(),
    }
}

fn turn() -> Task {
    Task::Turn(MessageId::generate())
}

fn run() -> Task {
    Task::Run(RunId::generate())
}

async fn add(table: &WorkTable, work: &[Work]) {
    let mut tx = table.database().begin().await.unwrap();
    table.add(&mut tx, work).await.unwrap();
    tx.commit().await.unwrap();
}

async fn remove(table: &WorkTable, keys: &[Key]) {
    let mut tx = table.database().begin().await.unwrap();
    table.remove(&mut tx, keys).await.unwrap();
    tx.commit().await.unwrap();
}

async fn taken(table: &WorkTable) -> Vec<Work> {
    table.take(100).await.unwrap().into_iter().map(|lease| lease.work).collect()
}

fn worker(database: &Database, name: &str) -> WorkTable {
    WorkTable::new(database.clone(), name, LEASE)
}

#[tokio::test]
async fn work_is_taken_once_and_reads_back_as_it_was() {
    for test in databases().await {
        let (one, two) = (worker(&test.database, "one"), worker(&test.database, "two"));
        let work = [work(ConversationId::generate(), run(), 7)];
        add(&one, &work).await;
        add(&one, &work).await;
        assert!(one.has_free().await.unwrap());
        assert_eq!(taken(&one).await, work);
        assert!(!two.has_free().await.unwrap());
        assert_eq!(taken(&two).await, []);
        add(&one, &work).await;
        assert_eq!(taken(&two).await, [], "a repeated event gives nothing to do");
    }
}

#[tokio::test]
async fn a_turn_waits_for_earlier_turns_and_for_runs() {
    for test in databases().await {
        let table = worker(&test.database, "one");
        let conversation = ConversationId::generate();
        let (first, second, running) =
            (work(conversation, turn(), 2), work(conversation, turn(), 3), work(conversation, run(), 5));
        let other = work(ConversationId::generate(), turn(), 9);
        add(&table, &[second.clone(), first.clone(), other.clone()]).await;
        let mut got = taken(&table).await;
        got.sort_by_key(|work| work.sequence);
        assert_eq!(got, [first.clone(), other]);
        assert!(!table.has_free().await.unwrap());
        add(&table, std::slice::from_ref(&running)).await;
        remove(&table, &[first.key()]).await;
        assert_eq!(taken(&table).await, std::slice::from_ref(&running));
        assert_eq!(taken(&table).await, []);
        table.finish(running.key()).await.unwrap();
        assert_eq!(taken(&table).await, [second]);
    }
}

#[tokio::test]
async fn a_lease_that_is_over_can_be_taken_by_another_and_is_missed_by_its_holder() {
    for test in databases().await {
        let brief = WorkTable::new(test.database.clone(), "brief", Duration::from_millis(20));
        let heir = worker(&test.database, "heir");
        let work = [work(ConversationId::generate(), run(), 2)];
        add(&brief, &work).await;
        assert_eq!(taken(&brief).await, work);
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert_eq!(taken(&brief).await, [], "its own work nobody takes again");
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        let lease = loop {
            if let Some(lease) = heir.take(1).await.unwrap().pop() {
                break lease;
            }
            assert!(std::time::Instant::now() < deadline);
        };
        assert_eq!(lease.attempts, 2);
        assert!(brief.renew().await.unwrap().is_empty());
        brief.give_back(work[0].key(), Duration::ZERO).await.unwrap();
        assert_eq!(heir.renew().await.unwrap(), [work[0].key()].into());
    }
}

#[tokio::test]
async fn what_is_given_back_is_free_after_its_pause() {
    for test in databases().await {
        let (one, two) = (worker(&test.database, "one"), worker(&test.database, "two"));
        let work = [work(ConversationId::generate(), run(), 2)];
        add(&one, &work).await;
        taken(&one).await;
        one.give_back(work[0].key(), Duration::from_secs(60)).await.unwrap();
        assert_eq!(taken(&two).await, []);
        assert_eq!(two.free_all().await.unwrap(), 1);
        assert_eq!(taken(&two).await, work);
        assert_eq!(two.give_all_back().await.unwrap(), 1);
        assert_eq!(taken(&one).await, work);
    }
}

#[tokio::test]
async fn a_worker_goes_on_from_a_turn_to_its_run_unless_another_has_it() {
    for test in databases().await {
        let (one, two) = (worker(&test.database, "one"), worker(&test.database, "two"));
        for consumed_before in [false, true] {
            let conversation = ConversationId::generate();
            let (turn, run) = (work(conversation, turn(), 2), work(conversation, run(), 4));
            add(&one, std::slice::from_ref(&turn)).await;
            assert_eq!(taken(&one).await, std::slice::from_ref(&turn));
            if consumed_before {
                remove(&one, &[turn.key()]).await;
                add(&one, std::slice::from_ref(&run)).await;
            }
            assert!(one.go_on(turn.key(), &run).await.unwrap());
            assert_eq!(taken(&two).await, []);
            one.finish(run.key()).await.unwrap();
        }
        let conversation = ConversationId::generate();
        let (turn, run) = (work(conversation, turn(), 2), work(conversation, run(), 4));
        add(&one, std::slice::from_ref(&run)).await;
        assert_eq!(taken(&two).await, std::slice::from_ref(&run));
        assert!(!one.go_on(turn.key(), &run).await.unwrap());
    }
}

#[tokio::test]
async fn many_workers_never_take_the_same() {
    for test in databases().await {
        let all: Vec<Work> = (0..200).map(|_| work(ConversationId::generate(), run(), 2)).collect();
        add(&worker(&test.database, "writer"), &all).await;
        let takers = (0..8).map(|number| {
            let table = worker(&test.database, &number.to_string());
            async move {
                let mut got = Vec::new();
                while table.has_free().await.unwrap() {
                    got.extend(table.take(7).await.unwrap().into_iter().map(|lease| lease.work.key()));
                }
                got
            }
        });
        let got = futures::future::join_all(takers).await.concat();
        assert_eq!(got.len(), 200);
        assert_eq!(got.into_iter().collect::<std::collections::HashSet<_>>().len(), 200);
    }
}
