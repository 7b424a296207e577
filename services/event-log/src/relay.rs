//! From the store to Kafka, in order, each event at least once.

use event_store::EventStore;
use tokio_util::sync::CancellationToken;

use crate::{EventLog, Result};

/// Publishes the store's tail until `shutdown`. Of all processes that run this, one is active; the others stand by and the
/// first of them takes over within 5 s. On the embedded log it only waits.
///
/// # Errors
/// None that waiting could heal: those are tried again.
pub async fn run(store: EventStore, log: EventLog, holder: String, shutdown: CancellationToken) -> Result<()> {
    todo!()
}
