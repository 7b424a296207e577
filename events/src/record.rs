//! The envelope of an event, its hash, and the chain that the hashes form.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{ConversationEvent, ConversationId, DecodeError, Decoded, EventId, PersonId, Sequence, decode};

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person, by pseudonym.
    Person(PersonId),
    /// An agent, by name.
    Agent(String),
    /// Loquent itself.
    System,
}

/// One event as one CloudEvents 1.0 JSON object; the field order is the design's.
///
/// `hash` is the lower-case hex SHA-256 of the record's RFC 8785 form without `hash`; `prevhash` is the hash of the event
/// before it in its stream, 64 zeros at sequence 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Always `1.0`.
    pub specversion: String,
    /// The event's id, unique; consumers deduplicate on it.
    pub id: EventId,
    /// Always `/loquent`.
    pub source: String,
    /// The wire type with its version: `dev.loquent.message.completed.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The conversation.
    pub subject: ConversationId,
    /// When, UTC with exactly three decimals and `Z`.
    #[serde(with = "milliseconds")]
    #[schemars(with = "String")]
    pub time: DateTime<Utc>,
    /// Path of the JSON Schema of `data`.
    pub dataschema: String,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// Place in the stream, 20 digits in the JSON.
    #[serde(with = "twenty_digits")]
    #[schemars(with = "String")]
    pub sequence: Sequence,
    /// The conversation's tenant.
    pub tenant: String,
    /// `prs_…`, `agent:<name>` or `system`.
    pub actor: Actor,
    /// The first event of the chain of causes that this one belongs to; its own id where it is the first.
    pub correlationid: EventId,
    /// The event that led to this one; absent where a person's command did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causationid: Option<EventId>,
    /// Hash of the event before it.
    pub prevhash: String,
    /// The event's data, alone.
    pub data: Value,
    /// Hash of all of the above.
    pub hash: String,
}

/// What a new record says besides its event.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The event's id.
    pub id: EventId,
    /// The conversation.
    pub subject: ConversationId,
    /// When; cut to milliseconds.
    pub time: DateTime<Utc>,
    /// Place in the stream.
    pub sequence: Sequence,
    /// The conversation's tenant.
    pub tenant: String,
    /// Who did it.
    pub actor: Actor,
    /// First event of the chain of causes.
    pub correlationid: EventId,
    /// The event that led to it.
    pub causationid: Option<EventId>,
    /// Hash of the event before it.
    pub prevhash: String,
}

/// Why a record is not the successor of the one before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Its content is not what was hashed.
    #[error("the record at sequence {0} does not have the content that its hash names")]
    Altered(Sequence),
    /// It names another predecessor.
    #[error("the record at sequence {0} does not follow the one before it")]
    Broken(Sequence),
    /// A number is missing or repeated.
    #[error("sequence {found} stands where {expected} belongs")]
    Gap {
        /// The number that belongs there.
        expected: Sequence,
        /// The number that stands there.
        found: Sequence,
    },
}

impl Record {
    /// `prevhash` of a stream's first record.
    pub const NO_HASH: &'static str = "0000000000000000000000000000000000000000000000000000000000000000";

    /// Puts an event into its envelope and hashes it.
    #[must_use]
    pub fn new(envelope: Envelope, event: &ConversationEvent) -> Self {
        let version = ConversationEvent::VERSION;
        let mut record = Self {
            specversion: "1.0".into(),
            id: envelope.id,
            source: "/loquent".into(),
            kind: format!("{}.v{version}", event.wire_type()),
            subject: envelope.subject,
            time: envelope.time.trunc_subsecs(3),
            dataschema: format!("/schemas/{}/{version}.json", event.wire_type()),
            datacontenttype: "application/json".into(),
            sequence: envelope.sequence,
            tenant: envelope.tenant,
            actor: envelope.actor,
            correlationid: envelope.correlationid,
            causationid: envelope.causationid,
            prevhash: envelope.prevhash,
            data: event.data(),
            hash: String::new(),
        };
        record.hash = record.computed_hash();
        record
    }

    /// The hash that its content has, whatever `hash` says.
    #[must_use]
    pub fn computed_hash(&self) -> String {
        let mut content = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = content.as_object_mut() {
            fields.remove("hash");
        }
        let canonical = serde_json_canonicalizer::to_vec(&content).unwrap_or_default();
        hex::encode(Sha256::digest(canonical))
    }

    /// Checks that this record follows `before` (`None`: is the first) and is what its hash names.
    ///
    /// # Errors
    /// The first thing that is wrong, in the order gap, broken, altered.
    pub fn verify(&self, before: Option<&Record>) -> Result<(), ChainError> {
        let expected = before.map_or(1, |record| record.sequence + 1);
        if self.sequence != expected {
            return Err(ChainError::Gap { expected, found: self.sequence });
        }
        if self.prevhash != before.map_or(Self::NO_HASH, |record| &record.hash) {
            return Err(ChainError::Broken(self.sequence));
        }
        if self.hash != self.computed_hash() {
            return Err(ChainError::Altered(self.sequence));
        }
        Ok(())
    }

    /// Wire type without version, and the version: (`dev.loquent.message.completed`, `1`).
    #[must_use]
    pub fn type_and_version(&self) -> (&str, &str) {
        self.kind.rsplit_once(".v").unwrap_or((&self.kind, ""))
    }

    /// The event that it carries.
    ///
    /// # Errors
    /// See [`decode`](crate::decode()).
    pub fn event(&self) -> Result<Decoded, DecodeError> {
        let (wire_type, version) = self.type_and_version();
        decode(wire_type, version, self.data.clone())
    }

    /// Everything but the data, as the store's `metadata` column holds it.
    #[must_use]
    pub fn metadata(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("data");
        }
        value
    }

    /// Puts metadata and data together again; keys of `metadata` that are no attribute are passed over.
    ///
    /// # Errors
    /// An attribute is missing or malformed.
    pub fn from_parts(mut metadata: Value, data: Value) -> Result<Self, serde_json::Error> {
        if let Some(fields) = metadata.as_object_mut() {
            fields.insert("data".into(), data);
        }
        serde_json::from_value(metadata)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => person.fmt(f),
            Self::Agent(name) => write!(f, "agent:{name}"),
            Self::System => f.write_str("system"),
        }
    }
}

impl FromStr for Actor {
    type Err = crate::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("agent:") {
            Some(name) => Ok(Self::Agent(name.into())),
            None if text == "system" => Ok(Self::System),
            None => text.parse().map(Self::Person),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
impl JsonSchema for Actor {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Actor".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(prs_[0-9a-z]{26}|agent:.+|system)$" })
    }
}

/// RFC 3339, UTC, exactly three decimals and `Z`.
pub mod milliseconds {
    use super::{DateTime, Deserialize, Deserializer, Serializer, Utc};

    const FORM: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

    /// The text form of a time.
    #[must_use]
    pub fn text(time: &DateTime<Utc>) -> String {
        time.format(FORM).to_string()
    }

    pub(super) fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&time.format(FORM))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()).map_err(serde::de::Error::custom)
    }
}

mod twenty_digits {
    use super::{Deserialize, Deserializer, Sequence, Serializer};

    pub(super) fn serialize<S: Serializer>(sequence: &Sequence, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{sequence:020}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sequence, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
