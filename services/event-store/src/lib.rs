//! The truth: append to a conversation's stream, load it, follow everything that was appended.
//!
//! postgres-es and sqlite-es append; reading is by own SQL, in pages. Beside the events stand what their consumers need in the
//! same database: snapshots, checkpoints and leases. What an event means is not known here.

mod append;
mod checkpoints;
mod error;
mod lease;
mod load;
mod position;
mod range;
mod restore;
mod row;
mod snapshot;
mod store;
mod tail;

pub use append::{Idempotency, NewEvent};
pub use checkpoints::{Checkpoints, Step};
pub use error::{Error, Result};
pub use lease::Lease;
pub use position::{Position, PositionError};
pub use snapshot::Snapshot;
pub use store::EventStore;
pub use tail::{TailRow, Tailed, Undecodable};
