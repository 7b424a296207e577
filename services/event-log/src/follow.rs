//! Reading the store's tail as it grows.

use std::time::Duration;

use event_store::{EventStore, Position, TailRow};
use tokio::sync::watch;

/// The pause before the first look at a tail that may have grown; also while an open transaction holds events back.
const SHORTEST: Duration = Duration::from_millis(5);

/// A place in the store's tail, and the patience to wait for what comes behind it.
pub(crate) struct Follow {
    store: EventStore,
    appended: watch::Receiver<u64>,
    /// The last position that was read.
    pub(crate) after: Position,
    pause: Duration,
    longest: Duration,
}

impl Follow {
    /// `longest` is how long an idle follower may take to see what another process appended.
    pub(crate) fn new(store: EventStore, after: Position, longest: Duration) -> Self {
        let appended = store.appended();
        Self { store, appended, after, pause: SHORTEST, longest }
    }

    /// What is there now, possibly nothing.
    pub(crate) async fn read(&mut self, limit: usize) -> event_store::Result<Vec<TailRow>> {
        self.appended.mark_unchanged();
        let rows = self.store.tail(self.after, limit).await?;
        if let Some(last) = rows.last() {
            self.after = position(last);
            self.pause = SHORTEST;
        }
        Ok(rows)
    }

    /// Waits until another look is worth it. Cancel-safe.
    pub(crate) async fn wait(&mut self) {
        let woken = tokio::select! {
            changed = self.appended.changed() => changed.is_ok(),
            () = tokio::time::sleep(self.pause) => false,
        };
        // An append of this process that is not visible yet waits behind another transaction: look again soon.
        self.pause = if woken { SHORTEST } else { self.longest.min(self.pause * 3 / 2) };
    }

    /// What comes next, at least one row. Cancel-safe.
    pub(crate) async fn next(&mut self, limit: usize) -> event_store::Result<Vec<TailRow>> {
        loop {
            let rows = self.read(limit).await?;
            if !rows.is_empty() {
                return Ok(rows);
            }
            self.wait().await;
        }
    }
}

/// Where a row stands, whether it could be read or not.
pub(crate) fn position(row: &TailRow) -> Position {
    match row {
        Ok(tailed) => tailed.position,
        Err(undecodable) => undecodable.position,
    }
}
