mod group;
mod repository;

use std::time::Instant;

use cqrs_es::Aggregate;
use cqrs_es::persist::SerializedEvent;
use events::Record;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use group::Appender;
pub(crate) use repository::Stream;

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
    /// They must be of one stream with contiguous sequences. The transaction holds nothing but inserts of events: theirs, and
    /// those of others that were appended at the same time. Given up by its caller, an append may still take place.
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
        let outcome = self.appender.append(rows).await;
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
