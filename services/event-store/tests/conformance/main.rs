//! One suite for both engines: SQLite always, PostgreSQL when `TEST_DATABASE_URL` names a server.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests fail as tests do")]

mod append;
mod consumers;
mod inversion;
mod leases;
mod restore;
mod streams;
mod tail;

use std::time::{Duration, Instant};

use database::testing::{TestDatabase, databases};
use event_store::{EventStore, Idempotency, NewEvent, Position, TailRow, Tailed};
use events::event::ConversationArchived;
use events::record::Envelope;
use events::{Actor, ConversationId, EventId, Record, Sequence};

/// A store in a fresh database, which goes with it.
struct Fresh {
    store: EventStore,
    database: TestDatabase,
}

async fn stores() -> Vec<Fresh> {
    let mut all = Vec::new();
    for database in databases().await {
        all.push(fresh(database).await);
    }
    all
}

async fn postgres() -> Option<Fresh> {
    Some(fresh(database::testing::postgres().await?).await)
}

async fn fresh(database: TestDatabase) -> Fresh {
    Fresh { store: EventStore::new(database.database.clone()).await.unwrap(), database }
}

/// The record that follows `before` in a stream.
fn next(stream: ConversationId, before: Option<&Record>) -> Record {
    let id = EventId::generate();
    let envelope = Envelope {
        id,
        subject: stream,
        time: chrono::Utc::now(),
        sequence: before.map_or(1, |record| record.sequence + 1),
        tenant: "default".into(),
        actor: Actor::System,
        correlationid: id,
        causationid: None,
        prevhash: before.map_or(Record::NO_HASH, |record| &record.hash).into(),
    };
    Record::new(envelope, &ConversationArchived {}.into())
}

/// `count` records of one stream, from the first.
fn chain(stream: ConversationId, count: usize) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::with_capacity(count);
    for _ in 0..count {
        records.push(next(stream, records.last()));
    }
    records
}

fn plain(record: Record) -> NewEvent {
    NewEvent { record, traceparent: None, idempotency: None }
}

fn keyed(record: Record, key: &str, fingerprint: &str) -> NewEvent {
    let idempotency = Idempotency { key: key.into(), fingerprint: fingerprint.into() };
    NewEvent { record, traceparent: None, idempotency: Some(idempotency) }
}

/// Appends a fresh stream of `count` events and answers its records.
async fn append_stream(store: &EventStore, count: usize) -> Vec<Record> {
    let records = chain(ConversationId::generate(), count);
    store.append(records.iter().cloned().map(plain).collect()).await.unwrap();
    records
}

/// The tail after a position, as soon as it has `count` rows: other tests of the cluster may hold it back for a while.
async fn tail_of(store: &EventStore, after: Position, count: usize) -> Vec<TailRow> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let rows = store.tail(after, count.max(1)).await.unwrap();
        if rows.len() >= count || Instant::now() > deadline {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn event(row: TailRow) -> Tailed {
    match row {
        TailRow::Event(tailed) => tailed,
        TailRow::Undecodable(row) => panic!("undecodable: {}", row.reason),
    }
}

fn sequences(records: &[Record]) -> Vec<Sequence> {
    records.iter().map(|record| record.sequence).collect()
}

/// Writes a record past the store, as another process in another transaction would.
const INSERT: &str = "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
     values ('conversation', $1, $2, 'dev.loquent.conversation.archived', '1', '{}', $3)";
