//! The one place with a clock and randomness. Everything it makes is put into a command before anything is decided.
#![expect(clippy::disallowed_methods, reason = "this is the place that the rule points to")]

use chrono::{DateTime, SubsecRound, Utc};
use events::ids::Id;
use events::{ConversationId, EventId, MessageId, RunId, TurnId};
use uuid::Uuid;

/// The time of a command, as precise as records keep it.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

pub(crate) fn conversation() -> ConversationId {
    Id::generate()
}

pub(crate) fn message() -> MessageId {
    Id::generate()
}

pub(crate) fn turn() -> TurnId {
    Id::generate()
}

pub(crate) fn run() -> RunId {
    Id::generate()
}

pub(crate) fn event() -> EventId {
    Id::generate()
}

/// A number below `limit`, for spreading retries; good for nothing else.
pub(crate) fn jitter(limit: u64) -> u64 {
    (Uuid::now_v7().as_u128() as u64) % limit.max(1)
}
