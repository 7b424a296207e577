use cqrs_es::Aggregate;
use database::sql;
use events::{ConversationId, Record, Sequence};

use crate::append::Stream;
use crate::row::StoredEvent;
use crate::{EventStore, Result};

impl EventStore {
    /// The first `limit` events of a stream after `after`, ascending. Sees every append that was answered before.
    ///
    /// # Errors
    /// The database, or a row that is no record.
    pub async fn load(&self, stream: ConversationId, after: Sequence, limit: usize) -> Result<Vec<Record>> {
        let rows = self.page(stream, "> $3 order by sequence", after, limit).await?;
        rows.iter().map(|row| row.read(stream)).collect()
    }

    /// The `limit` events of a stream just before `before`, ascending.
    ///
    /// # Errors
    /// As [`EventStore::load`].
    pub async fn load_before(&self, stream: ConversationId, before: Sequence, limit: usize) -> Result<Vec<Record>> {
        let rows = self.page(stream, "< $3 order by sequence desc", before, limit).await?;
        rows.iter().rev().map(|row| row.read(stream)).collect()
    }

    async fn page(
        &self,
        stream: ConversationId,
        range: &str,
        bound: Sequence,
        limit: usize,
    ) -> Result<Vec<StoredEvent>> {
        let columns = StoredEvent::COLUMNS;
        let text = format!(
            "select {columns} from events where aggregate_type = $1 and aggregate_id = $2 and sequence {range} limit $4"
        );
        let query =
            sql(text).bind(Stream::TYPE.to_owned()).bind(stream.to_string()).bind(big(bound)).bind(big(limit as u64));
        Ok(self.database().fetch_all(query).await?)
    }

    /// The sequence of a stream's last event; 0 if there is no such stream.
    ///
    /// # Errors
    /// The database.
    pub async fn last_sequence(&self, stream: ConversationId) -> Result<Sequence> {
        let query =
            sql("select coalesce(max(sequence), 0) from events where aggregate_type = $1 and aggregate_id = $2")
                .bind(Stream::TYPE.to_owned())
                .bind(stream.to_string());
        let row: Option<(i64,)> = self.database().fetch_optional(query).await?;
        Ok(row.and_then(|(last,)| Sequence::try_from(last).ok()).unwrap_or_default())
    }

    /// The event that carries an idempotency key, and the fingerprint of the input it was decided for.
    ///
    /// # Errors
    /// As [`EventStore::load`].
    pub async fn find_idempotent(&self, key: &str) -> Result<Option<(Record, String)>> {
        let columns = StoredEvent::COLUMNS;
        let query = sql(format!("select {columns} from events where idempotency = $1")).bind(key.to_owned());
        let Some(row) = self.database().fetch_optional::<StoredEvent>(query).await? else { return Ok(None) };
        let unreadable = |reason| crate::Error::Unreadable {
            stream: row.aggregate_id.parse().unwrap_or(ConversationId::from_uuid(uuid::Uuid::nil())),
            sequence: row.sequence(),
            reason,
        };
        let record = row.record().map_err(unreadable)?;
        let idempotency = row.beside().idempotency.ok_or_else(|| unreadable("no fingerprint beside its key".into()))?;
        Ok(Some((record, idempotency.fingerprint)))
    }

    /// The last event of this type (without version) whose data holds an id, of all streams. No index helps: this is for a person
    /// who looks something up.
    ///
    /// # Errors
    /// The database, or an event that cannot be read.
    pub async fn find_last(&self, wire_type: &str, id: &str) -> Result<Option<Record>> {
        let columns = StoredEvent::COLUMNS;
        let find = format!(
            "select {columns} from events where event_type = $1 and cast(payload as text) like $2
            order by aggregate_id desc, sequence desc limit 1"
        );
        let find = sql(find).bind(wire_type.to_owned()).bind(format!("%\"{id}\"%"));
        let Some(row) = self.database().fetch_optional::<StoredEvent>(find).await? else { return Ok(None) };
        let (stream, sequence) = (row.aggregate_id.parse(), row.sequence());
        let stream = stream.unwrap_or(ConversationId::from_uuid(uuid::Uuid::nil()));
        row.record().map(Some).map_err(|reason| crate::Error::Unreadable { stream, sequence, reason })
    }

    /// Streams in the order of their ids, each with its last sequence: what a rebuild goes through.
    ///
    /// # Errors
    /// The database.
    pub async fn streams(
        &self,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<(ConversationId, Sequence)>> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let query =
            sql("select aggregate_id, max(sequence) from events where aggregate_type = $1 and aggregate_id > $2 \
             group by aggregate_id order by aggregate_id limit $3")
            .bind(Stream::TYPE.to_owned())
            .bind(after)
            .bind(big(limit as u64));
        let rows: Vec<(String, i64)> = self.database().fetch_all(query).await?;
        let named = rows.into_iter().filter_map(|(id, last)| Some((id.parse().ok()?, Sequence::try_from(last).ok()?)));
        Ok(named.collect())
    }
}

/// Both engines count in signed 64 bits; what is beyond means "all of it".
pub(crate) fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
