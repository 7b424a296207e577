//! Records as Kafka carries them: `CloudEvents` 1.0 binary mode, the key is the conversation, the value is the data alone.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use chrono::{DateTime, Utc};
use events::record::milliseconds;
use events::{ChunkProduced, EventId, Record};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};

use crate::item::without_content;
use crate::{Chunk, DeadLetter, NewChunk, Received};

const JSON: &str = "application/json";

/// A record in the form that the broker gets.
pub(crate) struct Outgoing {
    pub(super) key: String,
    pub(super) headers: OwnedHeaders,
    pub(super) value: Vec<u8>,
}

impl Outgoing {
    pub(super) fn event(record: &Record, traceparent: Option<&str>) -> Self {
        let key = record.subject.to_string();
        let headers = OwnedHeaders::new_with_capacity(16);
        let headers = add(headers, "ce_specversion", &record.specversion);
        let headers = add(headers, "ce_id", &record.id.to_string());
        let headers = add(headers, "ce_source", &record.source);
        let headers = add(headers, "ce_type", &record.kind);
        let headers = add(headers, "ce_time", &milliseconds::text(&record.time));
        let headers = add(headers, "ce_subject", &key);
        let headers = add(headers, "ce_dataschema", &record.dataschema);
        let headers = add(headers, "ce_sequence", &format!("{:020}", record.sequence));
        let headers = add(headers, "ce_correlationid", &record.correlationid.to_string());
        let headers = match &record.causationid {
            Some(cause) => add(headers, "ce_causationid", &cause.to_string()),
            None => headers,
        };
        let headers = add(headers, "ce_tenant", &record.tenant);
        let headers = add(headers, "ce_actor", &record.actor.to_string());
        let headers = add(headers, "ce_prevhash", &record.prevhash);
        let headers = add(headers, "ce_hash", &record.hash);
        let headers = add(headers, "content-type", &record.datacontenttype);
        let headers = match traceparent {
            Some(trace) => add(headers, "traceparent", trace),
            None => headers,
        };
        Self { key, headers, value: json(&record.data) }
    }

    pub(super) fn chunk(chunk: &NewChunk) -> Self {
        let key = chunk.conversation.to_string();
        let headers = OwnedHeaders::new_with_capacity(12);
        let headers = add(headers, "ce_specversion", "1.0");
        let headers = add(headers, "ce_id", &EventId::generate().to_string());
        let headers = add(headers, "ce_source", "/loquent");
        let headers = add(headers, "ce_type", ChunkProduced::TYPE);
        let headers = add(headers, "ce_time", &milliseconds::text(&chunk.at));
        let headers = add(headers, "ce_subject", &key);
        let headers = add(headers, "ce_dataschema", "/schemas/dev.loquent.chunk.produced/1.json");
        let headers = add(headers, "ce_correlationid", &chunk.correlation.to_string());
        let headers = add(headers, "ce_causationid", &chunk.causation.to_string());
        let headers = add(headers, "ce_tenant", &chunk.tenant);
        let headers = add(headers, "ce_actor", &chunk.actor.to_string());
        let headers = add(headers, "content-type", JSON);
        Self { key, headers, value: json(&chunk.data) }
    }

    /// Bytes that it takes in a queue, roughly.
    pub(crate) fn size(&self) -> usize {
        self.key.len() + self.value.len() + 1024
    }
}

fn add(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}

/// The headers of a dead letter: those that the record had, and what is wrong with it.
pub(super) fn dead_letter(letter: &DeadLetter) -> OwnedHeaders {
    let original =
        letter.headers.iter().fold(OwnedHeaders::new_with_capacity(letter.headers.len() + 6), |all, (key, value)| {
            all.insert(Header { key, value: value.as_deref() })
        });
    let headers = add(original, "dlq_topic", &letter.topic);
    let headers = add(headers, "dlq_partition", &letter.partition.to_string());
    let headers = add(headers, "dlq_offset", &letter.offset);
    let headers = add(headers, "dlq_reason", &letter.reason);
    let headers = add(headers, "dlq_consumer", &letter.consumer);
    add(headers, "dlq_time", &milliseconds::text(&Utc::now()))
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The event in a message of the conversations' topic.
pub(super) fn received(message: &BorrowedMessage<'_>, consumer: &str) -> Received {
    match event(message) {
        Ok((record, traceparent)) => {
            Received::of_record(record, traceparent, |_, reason| letter(message, reason, consumer))
        }
        Err(reason) => Received::Undecodable(letter(message, reason, consumer)),
    }
}

fn event(message: &BorrowedMessage<'_>) -> Result<(Record, Option<String>), String> {
    let headers = Attributes::of(message)?;
    let record = Record {
        specversion: headers.text("ce_specversion")?.into(),
        id: headers.parse("ce_id")?,
        source: headers.text("ce_source")?.into(),
        kind: headers.text("ce_type")?.into(),
        subject: headers.parse("ce_subject")?,
        time: headers.time("ce_time")?,
        dataschema: headers.text("ce_dataschema")?.into(),
        datacontenttype: headers.text("content-type")?.into(),
        sequence: headers.parse("ce_sequence")?,
        tenant: headers.text("ce_tenant")?.into(),
        actor: headers.parse("ce_actor")?,
        correlationid: headers.parse("ce_correlationid")?,
        causationid: headers.has("ce_causationid").then(|| headers.parse("ce_causationid")).transpose()?,
        prevhash: headers.text("ce_prevhash")?.into(),
        data: data(message)?,
        hash: headers.text("ce_hash")?.into(),
    };
    keyed_by(message, &record.subject)?;
    Ok((record, headers.text("traceparent").ok().map(Into::into)))
}

/// The chunk in a message of the chunks' topic; `None` for what is none, of a later build.
pub(super) fn chunk(message: &BorrowedMessage<'_>) -> Result<Option<Chunk>, String> {
    let headers = Attributes::of(message)?;
    if headers.text("ce_type")? != ChunkProduced::TYPE {
        return Ok(None);
    }
    let conversation = headers.parse("ce_subject")?;
    keyed_by(message, &conversation)?;
    let tenant = headers.text("ce_tenant")?.into();
    Ok(Some(Chunk { conversation, tenant, at: headers.time("ce_time")?, data: data(message)? }))
}

fn data<T: serde::de::DeserializeOwned>(message: &BorrowedMessage<'_>) -> Result<T, String> {
    let value = message.payload().filter(|value| !value.is_empty()).ok_or("the value is empty")?;
    serde_json::from_slice(value).map_err(|error| {
        let what = if error.is_data() { "the value has another form" } else { "the value is not JSON" };
        format!("{what}: {}", without_content(&error.to_string()))
    })
}

fn keyed_by(message: &BorrowedMessage<'_>, subject: &impl Display) -> Result<(), String> {
    if message.key() == Some(subject.to_string().as_bytes()) {
        return Ok(());
    }
    Err("the key is not the subject".into())
}

/// A message that could not be read, as it was.
pub(super) fn letter(message: &BorrowedMessage<'_>, reason: String, consumer: &str) -> DeadLetter {
    let headers = headers_of(message).unwrap_or_default();
    DeadLetter {
        key: message.key().map(Into::into),
        value: message.payload().map(Into::into),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value.map(Into::into))).collect(),
        topic: message.topic().into(),
        partition: message.partition(),
        offset: message.offset().to_string(),
        reason,
        consumer: consumer.into(),
    }
}

type RawHeaders<'m> = Vec<(&'m str, Option<&'m [u8]>)>;

/// A message's headers; `None` where the name of one is not UTF-8: the client library panics on it, and a record that anybody can
/// write must not end the reader.
fn headers_of<'m>(message: &'m BorrowedMessage<'_>) -> Option<RawHeaders<'m>> {
    let Some(headers) = message.headers() else { return Some(Vec::new()) };
    let read = || headers.iter().map(|header| (header.key, header.value)).collect();
    catch_unwind(AssertUnwindSafe(read)).ok()
}

/// A message's headers by name; of a name that is there twice the last one counts.
struct Attributes<'m>(RawHeaders<'m>);

impl<'m> Attributes<'m> {
    fn of(message: &'m BorrowedMessage<'_>) -> Result<Self, String> {
        headers_of(message).map(Self).ok_or_else(|| "the name of a header is not UTF-8".into())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| *key == name)
    }

    fn text(&self, name: &str) -> Result<&'m str, String> {
        let value = self.0.iter().rev().find(|(key, _)| *key == name).and_then(|(_, value)| *value);
        let value = value.ok_or_else(|| format!("the header {name} is missing"))?;
        std::str::from_utf8(value).map_err(|_| format!("the header {name} is not UTF-8"))
    }

    fn parse<T: FromStr>(&self, name: &str) -> Result<T, String> {
        self.text(name)?.parse().map_err(|_| format!("the header {name} is malformed"))
    }

    fn time(&self, name: &str) -> Result<DateTime<Utc>, String> {
        self.parse::<DateTime<chrono::FixedOffset>>(name).map(|time| time.to_utc())
    }
}
