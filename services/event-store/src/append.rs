use std::time::Instant;

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{PersistedEventRepository, SerializedEvent};
use cqrs_es::{Aggregate, DomainEvent};
use database::Database;
use events::Record;
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlite_es::SqliteEventRepository;

use crate::{Error, EventStore, Result};

/// An event that may come to be.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The record, hashed, with the sequence it wants.
    pub record: Record,
    /// W3C trace context of the command; travels beside the record and is not hashed.
    pub traceparent: Option<String>,
    /// On the last event of a command that carries a key.
    pub idempotency: Option<Idempotency>,
}

/// What makes a repeated command recognisable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// Digest of tenant, person, command and the key; unique in the store for ever.
    pub key: String,
    /// Keyed digest of the plain input: the same key with other input is an error.
    pub fingerprint: String,
}

impl EventStore {
    /// Appends all or nothing; when it answers, the events survive a power loss.
    ///
    /// They must be of one stream with contiguous sequences. The transaction holds nothing but their inserts.
    ///
    /// # Errors
    /// [`Error::Conflict`] when a sequence or the idempotency key is taken. After any other error of the database it is unknown
    /// whether they were appended.
    pub async fn append(&self, events: Vec<NewEvent>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        if !contiguous(&events) {
            return Err(Error::NotContiguous);
        }
        let begun = Instant::now();
        let count = events.len() as u64;
        let rows: Vec<_> = events.into_iter().map(row).collect();
        let outcome = self.appender.persist(&rows).await;
        if matches!(outcome, Err(Error::Conflict)) {
            metrics::counter!("loquent_append_conflicts_total").increment(1);
        }
        outcome?;
        metrics::counter!("loquent_events_appended_total").increment(count);
        metrics::histogram!("loquent_append_seconds").record(begun.elapsed());
        self.appended.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// The repositories bind a sequence as 32 bits; beyond that it would wrap silently.
fn contiguous(events: &[NewEvent]) -> bool {
    let pairs = events.windows(2);
    let in_order = pairs.into_iter().all(|pair| {
        let (before, after) = (&pair[0].record, &pair[1].record);
        before.subject == after.subject && before.sequence + 1 == after.sequence
    });
    let in_range = |event: &NewEvent| (1..=i32::MAX as u64).contains(&event.record.sequence);
    in_order && events.iter().all(in_range)
}

fn row(event: NewEvent) -> SerializedEvent {
    let mut metadata = event.record.metadata();
    if let Some(fields) = metadata.as_object_mut() {
        fields.extend(event.traceparent.map(|context| ("traceparent".into(), Value::String(context))));
        fields.extend(event.idempotency.map(|Idempotency { key, fingerprint }| {
            ("idempotency".into(), json!({ "key": key, "fingerprint": fingerprint }))
        }));
    }
    let record = event.record;
    let (wire_type, version) = record.type_and_version();
    SerializedEvent {
        aggregate_id: record.subject.to_string(),
        sequence: usize::try_from(record.sequence).unwrap_or(usize::MAX),
        aggregate_type: Stream::TYPE.into(),
        event_type: wire_type.into(),
        event_version: version.into(),
        payload: record.data,
        metadata,
    }
}

/// The library's repository for the engine at hand; its readers are not used, they know no pages.
pub(crate) enum Appender {
    Postgres(PostgresEventRepository),
    Sqlite(SqliteEventRepository),
}

impl Appender {
    pub(crate) fn new(database: &Database) -> Self {
        match database {
            Database::Postgres(pool) => Self::Postgres(PostgresEventRepository::new(pool.clone())),
            Database::Sqlite { writer, .. } => Self::Sqlite(SqliteEventRepository::new(writer.clone())),
        }
    }

    /// Never with the library's own snapshot: with a stale counter it would commit the events and still answer "conflict".
    async fn persist(&self, rows: &[SerializedEvent]) -> Result<()> {
        match self {
            Self::Postgres(repository) => repository.persist::<Stream>(rows, None).await?,
            Self::Sqlite(repository) => repository.persist::<Stream>(rows, None).await?,
        }
        Ok(())
    }
}

/// Tells the repositories the type of all streams; what happens in them is not this crate's to know.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Stream;

/// No value: the repositories only carry serialized events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Opaque {}

impl DomainEvent for Opaque {
    fn event_type(&self) -> String {
        match *self {}
    }
    fn event_version(&self) -> String {
        match *self {}
    }
}

impl Aggregate for Stream {
    const TYPE: &'static str = "conversation";
    type Command = Opaque;
    type Event = Opaque;
    type Error = std::convert::Infallible;
    type Services = ();

    async fn handle(&mut self, command: Opaque, (): &(), _: &EventSink<Self>) -> std::result::Result<(), Self::Error> {
        match command {}
    }
    fn apply(&mut self, event: Opaque) {
        match event {}
    }
}
