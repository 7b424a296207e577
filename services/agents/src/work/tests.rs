use std::time::Duration;

use database::Database;
use database::testing::databases;
use events::{CallId, ConversationId, EventId, RunId};

use super::*;

const LEASE: Duration = Duration::from_secs(30);

fn work(conversation: ConversationId, task: Task, sequence: Sequence) -> Work {
    of("default", conversation, task, sequence)
}

fn of(tenant: &str, conversation: ConversationId, task: Task, sequence: Sequence) -> Work {
    Work {
        conversation,
        task,
        sequence,
        cause: EventId::generate(),
        correlation: EventId::generate(),
        traceparent: Some("00-a".into()),
        tenant: tenant.into(),
    }
}

fn run() -> Task {
    Task::Run(RunId::generate())
}

async fn add(table: &WorkTable, work: &[Work]) {
    let mut tx = table.database().begin().await.unwrap();
    table.add(&mut tx, work).await.unwrap();
    tx.commit().await.unwrap();
}

async fn taken(table: &WorkTable, kind: Kind) -> Vec<Work> {
    table.take(kind, 100).await.unwrap().into_iter().map(|lease| lease.work).collect()
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
        assert_eq!(one.free_kinds(&[Kind::Turn, Kind::Run]).await.unwrap(), [Kind::Run]);
        assert_eq!(taken(&one, Kind::Run).await, work);
        assert_eq!(two.free_kinds(&[Kind::Run]).await.unwrap(), []);
        assert_eq!(taken(&two, Kind::Run).await, []);
        add(&one, &work).await;
        assert_eq!(taken(&two, Kind::Run).await, [], "a repeated event gives nothing to do");
        one.finish(&work[0]).await.unwrap();
        assert_eq!(taken(&two, Kind::Run).await, []);
    }
}

#[tokio::test]
async fn every_kind_is_taken_by_those_who_do_it() {
    for test in databases().await {
        let table = worker(&test.database, "one");
        let conversation = ConversationId::generate();
        let all = [Task::Turn, run(), Task::Tool(CallId::generate())].map(|task| work(conversation, task, 3));
        add(&table, &all).await;
        assert_eq!(table.free_kinds(&[Kind::Tool, Kind::Turn]).await.unwrap(), [Kind::Tool, Kind::Turn]);
        for (kind, work) in [Kind::Turn, Kind::Run, Kind::Tool].into_iter().zip(all) {
            assert_eq!(taken(&table, kind).await, [work]);
        }
    }
}

#[tokio::test]
async fn what_was_called_for_anew_meanwhile_is_looked_at_again() {
    for test in databases().await {
        let (one, two) = (worker(&test.database, "one"), worker(&test.database, "two"));
        let first = work(ConversationId::generate(), Task::Turn, 3);
        add(&one, std::slice::from_ref(&first)).await;
        assert_eq!(taken(&one, Kind::Turn).await, std::slice::from_ref(&first));
        let later = work(first.conversation, Task::Turn, 5);
        add(&two, std::slice::from_ref(&later)).await;
        assert_eq!(taken(&two, Kind::Turn).await, [], "one still has it");
        one.finish(&first).await.unwrap();
        assert_eq!(taken(&two, Kind::Turn).await, std::slice::from_ref(&later));
        two.give_back(later.key(), later.sequence, LEASE).await.unwrap();
        assert_eq!(taken(&one, Kind::Turn).await, [], "it waits for its time");
        let last = work(first.conversation, Task::Turn, 9);
        add(&one, std::slice::from_ref(&last)).await;
        assert_eq!(taken(&one, Kind::Turn).await, std::slice::from_ref(&last), "or for something to happen");
        one.finish(&last).await.unwrap();
        assert_eq!(taken(&two, Kind::Turn).await, []);
    }
}

#[tokio::test]
async fn what_follows_stays_with_who_can_do_it() {
    for test in databases().await {
        let (one, two) = (worker(&test.database, "one"), worker(&test.database, "two"));
        let turn = work(ConversationId::generate(), Task::Turn, 3);
        add(&one, std::slice::from_ref(&turn)).await;
        taken(&one, Kind::Turn).await;
        let (mine, other) = (turn.also(run(), 4), turn.also(Task::Tool(CallId::generate()), 4));
        let kept = one.go_on(Some(&turn), std::slice::from_ref(&other), std::slice::from_ref(&mine)).await.unwrap();
        assert_eq!(kept, [Lease { work: mine.clone(), attempts: 1 }]);
        assert_eq!(taken(&two, Kind::Run).await, []);
        assert_eq!(taken(&two, Kind::Tool).await, [other]);
        assert_eq!(taken(&two, Kind::Turn).await, []);
        let again = one.go_on(None, &[], std::slice::from_ref(&mine)).await.unwrap();
        assert_eq!(again, [], "somebody has it already");
    }
}

#[tokio::test]
async fn leases_end_are_renewed_and_given_back() {
    for test in databases().await {
        let short = WorkTable::new(test.database.clone(), "short", Duration::from_millis(40));
        let two = worker(&test.database, "two");
        let work = work(ConversationId::generate(), run(), 7);
        add(&short, std::slice::from_ref(&work)).await;
        assert_eq!(taken(&short, Kind::Run).await, std::slice::from_ref(&work));
        assert_eq!(short.renew().await.unwrap(), [work.key()].into());
        let deadline = tokio::time::Instant::now() + LEASE;
        let mut leases = Vec::new();
        while leases.is_empty() && tokio::time::Instant::now() < deadline {
            assert_eq!(taken(&short, Kind::Run).await, [], "nobody takes again what is their own");
            leases = two.take(Kind::Run, 10).await.unwrap();
        }
        assert_eq!(leases, [Lease { work: work.clone(), attempts: 2 }]);
        assert_eq!(short.renew().await.unwrap(), [].into());
        short.give_back(work.key(), 7, Duration::ZERO).await.unwrap();
        assert_eq!(taken(&short, Kind::Run).await, [], "who lost it cannot give it back");
        assert_eq!(two.give_all_back().await.unwrap(), 1);
        assert_eq!(taken(&short, Kind::Run).await, [work]);
    }
}

#[tokio::test]
async fn one_tenant_s_many_pieces_leave_room_for_another_s_few() {
    for test in databases().await {
        let (one, two) = (worker(&test.database, "one"), worker(&test.database, "two"));
        let many: Vec<Work> = (0..50).map(|_| of("many", ConversationId::generate(), run(), 3)).collect();
        let few: Vec<Work> = (0..5).map(|_| of("few", ConversationId::generate(), run(), 3)).collect();
        add(&one, &many).await;
        add(&one, &few).await;
        let of_few = |leases: &[Lease]| leases.iter().filter(|lease| lease.work.tenant == "few").count();
        assert_eq!(of_few(&one.take(Kind::Run, 6).await.unwrap()), 3, "half and half");
        // What the tenants have in hand counts, whoever works on it.
        let rest = two.take(Kind::Run, 4).await.unwrap();
        assert_eq!(of_few(&rest), 2);
    }
}

#[tokio::test]
async fn the_only_process_frees_everything() {
    for test in databases().await {
        let (dead, heir) = (worker(&test.database, "dead"), worker(&test.database, "heir"));
        let work = work(ConversationId::generate(), run(), 7);
        add(&dead, std::slice::from_ref(&work)).await;
        taken(&dead, Kind::Run).await;
        assert_eq!(heir.free_all().await.unwrap(), 1);
        assert_eq!(taken(&heir, Kind::Run).await, [work]);
    }
}

#[tokio::test]
async fn what_nobody_has_and_what_is_due_waits() {
    for test in databases().await {
        let (one, two) = (worker(&test.database, "one"), worker(&test.database, "two"));
        assert_eq!(one.waiting().await.unwrap(), []);
        let work: Vec<_> = (0..3).map(|_| work(ConversationId::generate(), run(), 7)).collect();
        add(&one, &work).await;
        assert_eq!(one.waiting().await.unwrap(), [("run".to_owned(), 3)]);
        let lease = one.take(Kind::Run, 1).await.unwrap().remove(0);
        assert_eq!(two.waiting().await.unwrap(), [("run".to_owned(), 2)], "one worker has one");
        one.give_back(lease.work.key(), 7, Duration::from_secs(60)).await.unwrap();
        assert_eq!(two.waiting().await.unwrap(), [("run".to_owned(), 2)], "it pauses");
        taken(&two, Kind::Run).await;
        assert_eq!(two.waiting().await.unwrap(), []);
    }
}
