//! Many streams at once, for whoever goes through all of them.

use cqrs_es::Aggregate;
use database::sql;
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
}
