//! When a live connection's token ends.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::time::Instant;

use crate::auth::Principal;

/// A token is taken until a minute after its end, because clocks differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);
/// Timers don't reach further than this; nobody stays connected for so long.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// When a connection of theirs has to end; one without a token has nothing that ends.
pub(super) fn deadline(principal: Option<&Principal>) -> Option<Instant> {
    let (now, end) = (Utc::now(), principal?.expires_at);
    let end = if end > now { end } else { end.checked_add_signed(LEEWAY)? };
    let left = (end - now).to_std().unwrap_or_default();
    Some(Instant::now() + left.min(YEAR))
}

/// Waits for a deadline; for ever where there is none.
pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
