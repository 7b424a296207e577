use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_store::{Step, Undecodable};
use events::{Actor, ChunkProduced, ConversationId, EventId, Record};

/// A chunk on its way to the log.
#[derive(Clone, Debug)]
pub struct NewChunk {
    /// The conversation.
    pub conversation: ConversationId,
    /// The conversation's tenant.
    pub tenant: String,
    /// The agent.
    pub actor: Actor,
    /// First event of the chain of causes.
    pub correlation: EventId,
    /// The run's `AgentStarted`.
    pub causation: EventId,
    /// `AgentStarted`'s time plus the chunk's delay.
    pub at: DateTime<Utc>,
    /// The chunk; its `after` is the last event that its producer knows, which the embedded log raises to what it has delivered.
    pub data: ChunkProduced,
}

/// A chunk as the log delivers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// The conversation.
    pub conversation: ConversationId,
    /// The conversation's tenant.
    pub tenant: String,
    /// `AgentStarted`'s time plus the chunk's delay.
    pub at: DateTime<Utc>,
    /// The chunk.
    pub data: ChunkProduced,
}

/// What a [`Tail`](crate::Tail) reads.
#[derive(Clone, Debug)]
pub enum Item {
    /// An event, also one of a type that this build does not know.
    Event(Arc<Record>),
    /// A piece of an answer.
    Chunk(Arc<Chunk>),
}

/// What there is to read, of one partition or of several: at most 500 records.
#[derive(Clone, Debug)]
pub struct Batch {
    /// How the checkpoints move, all in the transaction that holds what the records led to; 0 is the embedded log's one partition.
    pub steps: Vec<Step>,
    /// The records, those of each partition in order.
    pub records: Vec<Received>,
}

/// What a [`Consumer`](crate::Consumer) reads.
#[derive(Clone, Debug)]
pub enum Received {
    /// An event, also one of a type that this build does not know.
    Record {
        /// The event.
        record: Arc<Record>,
        /// The trace that it was appended in.
        traceparent: Option<String>,
    },
    /// Something that is no record of ours, or a known type with data of another form: to be put aside with
    /// [`EventLog::dead_letter`](crate::EventLog::dead_letter), then passed over.
    Undecodable(DeadLetter),
}

impl Received {
    /// The record, unless its type is known and its data is of another form.
    pub(crate) fn of_record(
        record: Record,
        traceparent: Option<String>,
        letter: impl FnOnce(&Record, String) -> DeadLetter,
    ) -> Self {
        match record.event() {
            Ok(_) => Self::Record { record: Arc::new(record), traceparent },
            Err(error) => {
                let detail =
                    std::error::Error::source(&error).map(|error| without_content(&error.to_string()).to_owned());
                let reason = format!("the data is not that of {}: {}", record.kind, detail.unwrap_or_default());
                Self::Undecodable(letter(&record, reason))
            }
        }
    }
}

/// What a JSON reader complains about, without the value that it quotes: reasons are logged and shown.
pub(crate) fn without_content(complaint: &str) -> &str {
    if complaint.starts_with("missing field") {
        return complaint;
    }
    complaint.split([':', '`', '"']).next().unwrap_or_default().trim_end()
}

/// A record that could not be read, as it was, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its key; a conversation id, where it was one of ours.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` for a tombstone, and on the embedded log, where the row stays in the store.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The topic where it stands; `events` for a row of the store.
    pub topic: String,
    /// Its partition there.
    pub partition: i32,
    /// Its offset there; the position of a row.
    pub offset: String,
    /// What is wrong with it; no content.
    pub reason: String,
    /// Who could not read it.
    pub consumer: String,
}

impl DeadLetter {
    /// A row of the store that cannot be carried. It stays where it is, so the letter holds no value.
    pub(crate) fn of_row(row: &Undecodable, consumer: &str) -> Self {
        Self {
            key: Some(row.stream.clone().into_bytes()),
            value: None,
            headers: vec![("ce_sequence".into(), Some(format!("{:020}", row.sequence).into_bytes()))],
            topic: "events".into(),
            partition: 0,
            offset: row.position.to_string(),
            reason: row.reason.clone(),
            consumer: consumer.into(),
        }
    }
}

/// A topic as the broker has it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Whether it is there at all.
    pub exists: bool,
    /// How many partitions it has.
    pub partitions: usize,
    /// On how many brokers each of them lies.
    pub replication: usize,
    /// `retention.ms`; `None` where the broker does not tell.
    pub retention_ms: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::without_content;

    #[test]
    fn a_reason_quotes_no_value() {
        assert_eq!(without_content("missing field `run`"), "missing field `run`");
        assert_eq!(without_content("invalid type: string \"a secret\", expected u32"), "invalid type");
        assert_eq!(without_content("unknown variant `a secret`, expected `text`"), "unknown variant");
    }
}
