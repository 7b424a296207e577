//! How far the rows are behind the store, whatever the reason: a slow projector, a gap, a broker that is down.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use database::{Database, sql};
use event_store::EventStore;
use events::{ConversationId, Sequence};
use uuid::Uuid;

use crate::Result;
use crate::tables::lists;

/// How often it is measured.
const PERIOD: Duration = Duration::from_secs(5);
/// How many of the newest events are looked at: a lag of so many means "at least".
const EVENTS: usize = 1000;

/// Measures for ever. A failure leaves the figures as they are: whoever cannot measure cannot project either, and says so.
pub(super) async fn measure(database: &Database, store: &EventStore, consumer: &'static str) {
    loop {
        if let Ok((events, age)) = lag(database, store).await {
            metrics::gauge!("loquent_projection_lag_events", "consumer" => consumer).set(events as f64);
            metrics::gauge!("loquent_projection_lag_seconds", "consumer" => consumer).set(age.as_secs_f64());
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// How many of the store's newest events the rows don't hold, and how old the oldest of these is.
pub(super) async fn lag(database: &Database, store: &EventStore) -> Result<(usize, Duration)> {
    let latest = store.latest(EVENTS).await?;
    let mut stands: HashMap<ConversationId, Sequence> = HashMap::new();
    for ids in lists(latest.iter().map(|(id, ..)| id.uuid())) {
        let query = sql("select conversation, sequence from conversations where conversation in ").list(ids);
        let rows: Vec<(Uuid, i64)> = database.fetch_all(query).await?;
        stands.extend(rows.into_iter().map(|(id, sequence)| (ConversationId::from_uuid(id), sequence.unsigned_abs())));
    }
    let missing: Vec<DateTime<Utc>> = latest
        .into_iter()
        .filter(|(id, sequence, _)| stands.get(id).copied().unwrap_or_default() < *sequence)
        .map(|(.., recorded_at)| recorded_at)
        .collect();
    let age = missing.iter().min().map(|oldest| Utc::now() - oldest).and_then(|age| age.to_std().ok());
    Ok((missing.len(), age.unwrap_or_default()))
}
