//! Rows that may still be on their way into the read model.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Result;

/// How long the read model may take to know something that its caller knows of.
const ACQUAINTANCE: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(25);

/// What `find` finds, looked for until it is there or the time is up.
pub(crate) async fn awaited<T, F>(find: impl Fn() -> F) -> Result<Option<T>>
where
    F: Future<Output = projections::Result<Option<T>>>,
{
    let deadline = Instant::now() + ACQUAINTANCE;
    loop {
        let found = find().await?;
        if found.is_some() || Instant::now() >= deadline {
            return Ok(found);
        }
        sleep(GLANCE).await;
    }
}
