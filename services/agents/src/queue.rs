//! How much work waits, for whoever watches.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::work::{Kind, WorkTable};

/// Between two looks.
const CALM: Duration = Duration::from_secs(10);

/// Measures until told to stop. While the store is away the last figures stand.
pub(crate) async fn measure(table: &WorkTable, stop: &CancellationToken) {
    loop {
        match table.waiting().await {
            Ok(waiting) => {
                for kind in Kind::ALL {
                    let depth = waiting.iter().find(|(name, _)| name == kind.name()).map_or(0, |(_, rows)| *rows);
                    metrics::gauge!("loquent_queue_depth", "kind" => kind.name()).set(depth as f64);
                }
            }
            Err(error) => tracing::debug!(%error, "what waits could not be counted"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(CALM)).await.is_none() {
            return;
        }
    }
}
