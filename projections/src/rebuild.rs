//! All rows anew, from the store.
use database::Database;
use event_store::EventStore;

use crate::Result;

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Conversations written.
    pub conversations: u64,
    /// Events folded.
    pub events: u64,
}

/// What a rebuild did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Conversations written.
    pub conversations: u64,
    /// Events folded.
    pub events: u64,
    /// Conversations removed, because the store has no such stream.
    pub removed: u64,
}

/// Writes all rows anew from the store, beside live projectors.
pub async fn rebuild(database: &Database, store: &EventStore, mut progress: impl FnMut(Progress)) -> Result<Rebuilt> {
    todo!()
}
