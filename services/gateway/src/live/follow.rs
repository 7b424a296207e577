//! The node's one tail of the log.

use std::time::Duration;

use event_log::{Error as LogError, EventLog};
use tokio_util::sync::CancellationToken;

use super::Live;
use crate::Result;

/// Between two tries to have a tail.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two comparisons with the store.
const COMPARISON: Duration = Duration::from_secs(2);
const TRIMMING: Duration = Duration::from_secs(15);
/// Conversations that are compared at once.
const COMPARED: usize = 500;

impl Live {
    /// Follows the log until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.follow() => {}
            () = self.compare() => {}
            () = self.trim() => {}
        }
    }

    async fn follow(&self) {
        loop {
            if let Err(error) = self.tail().await {
                tracing::warn!(%error, "the log's tail was torn, trying again");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn tail(&self) -> Result<()> {
        let mut tail = self.0.log.tail().await?;
        // Whoever came before the tail stood has missed what was published until now.
        self.0.hub.all_missed();
        loop {
            match tail.next().await {
                Ok(items) => self.0.hub.deliver(items),
                Err(LogError::Lagged) => self.0.hub.all_missed(),
                Err(error) => {
                    self.0.hub.all_missed();
                    return Err(error.into());
                }
            }
        }
    }

    /// While the broker or every relay is down, events still come from the store. The embedded log is the store.
    async fn compare(&self) {
        if matches!(self.0.log, EventLog::Embedded(_)) {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::time::sleep(COMPARISON).await;
            if let Err(error) = self.compare_once().await {
                tracing::debug!(%error, "watched conversations could not be compared with the store");
            }
        }
    }

    async fn compare_once(&self) -> Result<()> {
        let seen = self.0.hub.seen();
        for some in seen.chunks(COMPARED) {
            let conversations: Vec<_> = some.iter().map(|(conversation, _)| *conversation).collect();
            for (conversation, last) in self.0.store.last_sequences(&conversations).await? {
                self.0.hub.compare(conversation, last);
            }
        }
        Ok(())
    }

    async fn trim(&self) {
        loop {
            tokio::time::sleep(TRIMMING).await;
            self.0.hub.trim();
        }
    }
}
