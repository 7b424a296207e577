//! Many streams at once, for whoever goes through all of them.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use database::{Dialect, sql};
use events::{ConversationId, Record, Sequence};

use crate::append::Stream;
use crate::load::big;
use crate::row::StoredEvent;
use crate::{EventStore, Result};

impl EventStore {
    /// The first `limit` events of all streams from `first` to `last`, stream by stream in the order of
    /// [`streams`](Self::streams), each stream's ascending and without those up to `after`. A row that is no record is an
    /// [`Error::Unreadable`](crate::Error::Unreadable) in its place.
    ///
    /// # Errors
    /// The database.
    pub async fn load_range(
        &self,
        first: ConversationId,
        last: ConversationId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Result<Record>>> {
        let columns = StoredEvent::COLUMNS;
        let query = sql(format!(
            "select {columns} from events where aggregate_type = $1 and aggregate_id >= $2 and aggregate_id <= $3 \
             and sequence > $4 order by aggregate_id, sequence limit $5"
        ))
        .bind(Stream::TYPE.to_owned())
        .bind(first.to_string())
        .bind(last.to_string())
        .bind(big(after))
        .bind(big(limit as u64));
        let rows: Vec<StoredEvent> = self.database().fetch_all(query).await?;
        let named = rows.into_iter().filter_map(|row| Some(row.read(row.aggregate_id.parse().ok()?)));
        Ok(named.collect())
    }

    /// The sequence of each of these streams' last event, a thousand streams at most; those that don't exist are missing.
    ///
    /// # Errors
    /// The database.
    pub async fn last_sequences(&self, streams: &[ConversationId]) -> Result<Vec<(ConversationId, Sequence)>> {
        let query =
            sql("select aggregate_id, max(sequence) from events where aggregate_type = $1 and aggregate_id in ")
                .bind(Stream::TYPE.to_owned())
                .list(streams.iter().map(ToString::to_string))
                .push(" group by aggregate_id");
        let rows: Vec<(String, i64)> = self.database().fetch_all(query).await?;
        let named = rows.into_iter().filter_map(|(id, last)| Some((id.parse().ok()?, Sequence::try_from(last).ok()?)));
        Ok(named.collect())
    }

    /// Which events are the newest of the store, newest first, and when they were recorded: what a consumer's lag is measured by.
    /// Also those that the [`tail`](Self::tail) holds back.
    ///
    /// # Errors
    /// The database.
    pub async fn latest(&self, limit: usize) -> Result<Vec<(ConversationId, Sequence, DateTime<Utc>)>> {
        let query = match self.database().dialect() {
            Dialect::Postgres => sql("select aggregate_id, sequence, recorded_at from events \
                 where aggregate_type = $1 order by txid desc, position desc limit $2"),
            Dialect::Sqlite => sql("select aggregate_id, sequence, recorded_at \
                 from event_positions join events using (aggregate_id, sequence) \
                 where aggregate_type = $1 order by position desc limit $2"),
        };
        let query = query.bind(Stream::TYPE.to_owned()).bind(big(limit as u64));
        let rows: Vec<(String, i64, DateTime<Utc>)> = self.database().fetch_all(query).await?;
        let named = rows.into_iter().filter_map(|(stream, sequence, recorded_at)| {
            Some((stream.parse().ok()?, Sequence::try_from(sequence).ok()?, recorded_at))
        });
        Ok(named.collect())
    }
}
