//! Stored or received data back to an event: the seam where later versions are brought up to date.

use serde_json::Value;

use crate::ConversationEvent;

/// What some data turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly every value is known; a box would cost each an allocation")]
pub enum Decoded {
    /// An event that this build knows.
    Known(ConversationEvent),
    /// A type or version of a later build: to be kept and passed on, not understood.
    Unknown,
}

/// Data of a known type and version that does not have its form.
#[derive(Debug, thiserror::Error)]
#[error("{wire_type} version {version} has data of another form: {source}")]
pub struct DecodeError {
    wire_type: String,
    version: String,
    source: serde_json::Error,
}

/// Reads the data of an event: `wire_type` without version (`dev.loquent.message.sent`), `version` as `1`.
///
/// # Errors
/// The type and version are known and the data is not theirs.
pub fn decode(wire_type: &str, version: &str, data: Value) -> Result<Decoded, DecodeError> {
    let known = match version {
        "1" => ConversationEvent::from_v1(wire_type, data),
        _ => None,
    };
    known.map_or(Ok(Decoded::Unknown), |event| {
        event.map(Decoded::Known).map_err(|source| DecodeError {
            wire_type: wire_type.into(),
            version: version.into(),
            source,
        })
    })
}
