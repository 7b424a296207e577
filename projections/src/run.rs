//! The live projector.
use database::Database;
use event_log::EventLog;
use event_store::EventStore;
use tokio_util::sync::CancellationToken;

use crate::Result;

/// Follows the log and writes rows until `shutdown`.
pub async fn run(database: Database, store: EventStore, log: EventLog, shutdown: CancellationToken) -> Result<()> {
    todo!()
}
