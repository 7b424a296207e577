//! A stored row back to a record.

use events::{ConversationId, Record, Sequence};
use serde::Deserialize;

use crate::{Error, Idempotency, Result};

/// The columns that make a record. JSON is read as text, so that a row which is none does not fail the whole page.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct StoredEvent {
    pub(crate) aggregate_id: String,
    pub(crate) sequence: i64,
    payload: String,
    metadata: String,
}

impl StoredEvent {
    /// To select for it.
    pub(crate) const COLUMNS: &'static str =
        "aggregate_id, events.sequence, cast(payload as text) as payload, cast(metadata as text) as metadata";

    /// The record, or what is wrong with the row.
    pub(crate) fn record(&self) -> std::result::Result<Record, String> {
        let metadata = serde_json::from_str(&self.metadata).map_err(|error| error.to_string())?;
        let payload = serde_json::from_str(&self.payload).map_err(|error| error.to_string())?;
        let record = Record::from_parts(metadata, payload).map_err(|error| error.to_string())?;
        let here = record.subject.to_string() == self.aggregate_id && record.sequence == self.sequence();
        here.then_some(record).ok_or_else(|| "it names another stream or sequence".into())
    }

    pub(crate) fn sequence(&self) -> Sequence {
        Sequence::try_from(self.sequence).unwrap_or_default()
    }

    pub(crate) fn beside(&self) -> Beside {
        serde_json::from_str(&self.metadata).unwrap_or_default()
    }

    pub(crate) fn read(&self, stream: ConversationId) -> Result<Record> {
        self.record().map_err(|reason| Error::Unreadable { stream, sequence: self.sequence(), reason })
    }
}

/// What metadata holds beside the record.
#[derive(Default, Deserialize)]
pub(crate) struct Beside {
    pub(crate) traceparent: Option<String>,
    pub(crate) idempotency: Option<Idempotency>,
}
