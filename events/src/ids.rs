//! Identifiers: TypeIDs (spec 0.3), that is a prefix, `_` and a UUIDv7 in Crockford base32.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

/// An identifier of one kind; ids of two kinds don't mix and don't parse as each other.
///
/// Ordered by creation time, to the millisecond.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

/// A text that is not an id of the wanted kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a valid id: expected {expected}_ and 26 characters")]
pub struct IdError {
    expected: &'static str,
}

impl<K: StaticType> Id<K> {
    /// A fresh id from the clock and randomness. Rules never call this: ids arrive in the command.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_uuid(Uuid::now_v7())
    }

    /// The id with this bare uuid, as read-model tables hold it.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The bare uuid.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: StaticType> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TypeSafeId::<K>::from_uuid(self.0).fmt(f)
    }
}
impl<K: StaticType> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K: StaticType> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let id: TypeSafeId<K> = text.parse().map_err(|_| IdError { expected: K::TYPE })?;
        Ok(Self::from_uuid(id.uuid()))
    }
}
impl<K: StaticType> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: StaticType> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
impl<K: StaticType> JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{}_id", K::TYPE).into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", K::TYPE),
        })
    }
}

macro_rules! id {
    ($(#[$doc:meta] $kind:ident $name:ident $prefix:literal;)*) => {$(
        #[doc = concat!("The kind behind [`", stringify!($name), "`].")]
        #[derive(Default, Clone, Copy)]
        pub struct $kind;
        impl StaticType for $kind {
            const TYPE: &'static str = $prefix;
        }
        #[$doc]
        pub type $name = Id<$kind>;
    )*};
}

id! {
    /// A conversation; also the name of its stream.
    Conversation ConversationId "conv";
    /// A message of a person or an agent.
    Message MessageId "msg";
    /// A turn: all that answers one message.
    Turn TurnId "turn";
    /// One agent's run within a turn; it keeps its id when another worker takes over.
    Run RunId "run";
    /// A model or tool call.
    Call CallId "call";
    /// An event.
    Event EventId "evt";
    /// A person's pseudonym.
    Person PersonId "prs";
    /// A content key.
    Key KeyId "key";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_keeps_its_kind() {
        let id = ConversationId::generate();
        let text = id.to_string();
        assert!(text.starts_with("conv_") && text.len() == 31);
        assert_eq!(text.parse::<ConversationId>(), Ok(id));
        assert!(text.parse::<MessageId>().is_err());
    }

    #[test]
    fn the_specification_s_example_is_read() {
        // From the TypeID specification 0.3: this suffix is UUID 01890a5d-ac96-774b-bcce-b302099a8057.
        let id: MessageId = "msg_01h455vb4pex5vsknk084sn02q".parse().expect("valid");
        assert_eq!(id.uuid().to_string(), "01890a5d-ac96-774b-bcce-b302099a8057");
    }
}
