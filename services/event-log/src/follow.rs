//! Reading the store's tail as it grows.

use std::time::Duration;

use event_store::{EventStore, Position, TailRow};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The pause before the first look at a tail that may have grown; also while an open transaction holds events back.
const SHORTEST: Duration = Duration::from_millis(5);

/// Looks that many small appends cause are not closer together than this: they then bring several rows each.
const CLOSEST: Duration = Duration::from_millis(2);

/// A tail that grows fast is looked at up to this many times less often: each look costs the same, however much it brings, and so
/// does each request to a broker.
const RAREST: u32 = 16;

/// A place in the store's tail, and the patience to wait for what comes behind it.
pub(crate) struct Follow {
    store: EventStore,
    appended: watch::Receiver<u64>,
    /// The last position that was read.
    pub(crate) after: Position,
    looked: Instant,
    due: Instant,
    pause: Duration,
    longest: Duration,
    /// How many times longer the pauses are while there is much.
    rare: u32,
}

impl Follow {
    /// `longest` is how long an idle follower may take to see what another process appended.
    pub(crate) fn new(store: EventStore, after: Position, longest: Duration) -> Self {
        let appended = store.appended();
        let now = Instant::now();
        Self { store, appended, after, looked: now, due: now, pause: SHORTEST, longest, rare: 1 }
    }

    /// Whether another look is worth it: it was some time ago, there was more, or this process has appended.
    pub(crate) fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// What is there now, possibly nothing.
    pub(crate) async fn read(&mut self, limit: usize) -> event_store::Result<Vec<TailRow>> {
        self.appended.mark_unchanged();
        let rows = self.store.tail(self.after, limit).await?;
        self.looked = Instant::now();
        // A tail that grows by more than a row in `CLOSEST` is soon looked at as rarely as can be, any other as often as can be.
        self.rare = u32::try_from(rows.len()).unwrap_or(RAREST).clamp(1, RAREST);
        match rows.last() {
            Some(last) => {
                self.after = position(last);
                self.pause = SHORTEST.max(CLOSEST * self.rare);
            }
            None => self.pause = self.longest.min(self.pause * 3 / 2),
        }
        self.due = if rows.len() >= limit { self.looked } else { self.looked + self.pause };
        Ok(rows)
    }

    /// Waits until another look is worth it. Cancel-safe.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            biased;
            () = sleep_until(self.due) => {}
            Ok(()) = self.appended.changed() => {
                // What is not visible yet waits behind another transaction: the next looks follow soon.
                self.pause = SHORTEST;
                self.due = self.looked + CLOSEST * self.rare;
                sleep_until(self.due).await;
            }
        }
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
        TailRow::Event(tailed) => tailed.position,
        TailRow::Undecodable(undecodable) => undecodable.position,
    }
}
