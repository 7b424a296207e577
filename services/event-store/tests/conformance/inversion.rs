//! PostgreSQL only: what was inserted first is not always committed first.

use std::time::{Duration, Instant};

use event_store::{EventStore, Position};
use events::{ConversationId, Record};
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};

use crate::{INSERT, append_stream, event, next, postgres, tail_of};

/// Longer than any transaction of ours lasts, and than any grace period would wait.
const HELD: Duration = Duration::from_secs(5);

#[tokio::test]
async fn what_a_slow_transaction_appends_is_not_skipped() {
    let Some(fresh) = postgres().await else { return };
    let first = append_stream(&fresh.store, 1).await;
    let begun = event(tail_of(&fresh.store, Position::default(), 1).await.remove(0)).position;

    let mut connection = PgConnection::connect(&fresh.database.url).await.unwrap();
    let mut slow = connection.begin().await.unwrap();
    let late = next(ConversationId::generate(), None);
    let insert = sqlx::query(INSERT).bind(late.subject.to_string()).bind(1_i64).bind(Json(late.metadata()));
    insert.execute(&mut *slow).await.unwrap();
    // Inserted later, committed first.
    let fast = append_stream(&fresh.store, 2).await;

    nothing_comes(&fresh.store, begun).await;
    assert!(fresh.store.tail_delay().await.unwrap().unwrap() >= HELD);
    slow.commit().await.unwrap();

    let rows: Vec<_> = tail_of(&fresh.store, begun, 3).await.into_iter().map(event).collect();
    let ids = |records: &[Record]| records.iter().map(|record| record.id).collect::<Vec<_>>();
    let expected = [&[late][..], &fast[..]].concat();
    assert_eq!(rows.iter().map(|row| row.record.id).collect::<Vec<_>>(), ids(&expected));
    assert_eq!(fresh.store.tail(rows[2].position, 10).await.unwrap(), []);
    assert_eq!(tail_of(&fresh.store, Position::default(), 4).await.len(), 4);
    assert_eq!(fresh.store.load(first[0].subject, 0, 10).await.unwrap(), first);
}

#[tokio::test]
async fn a_transaction_in_another_database_holds_the_tail_back_and_loses_nothing() {
    let (Some(fresh), Some(other)) = (postgres().await, postgres().await) else { return };
    let mut connection = PgConnection::connect(&other.database.url).await.unwrap();
    let mut slow = connection.begin().await.unwrap();
    sqlx::query("select pg_current_xact_id()").execute(&mut *slow).await.unwrap();
    let appended = append_stream(&fresh.store, 2).await;
    // Meanwhile the stream itself is readable: only the common order waits.
    assert_eq!(fresh.store.load(appended[0].subject, 0, 10).await.unwrap(), appended);

    nothing_comes(&fresh.store, Position::default()).await;
    slow.rollback().await.unwrap();
    let rows: Vec<_> = tail_of(&fresh.store, Position::default(), 2).await.into_iter().map(event).collect();
    assert_eq!(rows.into_iter().map(|row| row.record).collect::<Vec<_>>(), appended);
}

#[tokio::test]
async fn a_transaction_that_only_reads_holds_nothing_back() {
    let Some(fresh) = postgres().await else { return };
    let mut connection = PgConnection::connect(&fresh.database.url).await.unwrap();
    let mut reader = connection.begin().await.unwrap();
    sqlx::query("set transaction isolation level repeatable read").execute(&mut *reader).await.unwrap();
    sqlx::query("select count(*) from events").execute(&mut *reader).await.unwrap();
    append_stream(&fresh.store, 1).await;
    assert_eq!(tail_of(&fresh.store, Position::default(), 1).await.len(), 1);
    reader.rollback().await.unwrap();
}

/// Looks for as long as the transaction is held.
async fn nothing_comes(store: &EventStore, after: Position) {
    let until = Instant::now() + HELD;
    while Instant::now() < until {
        assert_eq!(store.tail(after, 10).await.unwrap(), []);
        assert_eq!(store.tail_end().await.unwrap(), after);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
