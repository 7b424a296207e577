//! All events of the store in one order, which never changes behind a reader.

use std::time::Duration;

use cqrs_es::Aggregate;
use database::{Dialect, sql};
use events::{Record, Sequence};

use crate::append::Stream;
use crate::load::big;
use crate::row::StoredEvent;
use crate::{EventStore, Position, Result};

/// PostgreSQL gives a row its place when it is inserted and shows it when it is committed. Rows of transactions that began
/// after the oldest open one must wait for it: a reader that passed them would never see what the open one still commits.
const SETTLED: &str = "txid < pg_snapshot_xmin(pg_current_snapshot())";

/// An event with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tailed {
    /// Where it stands.
    pub position: Position,
    /// The event.
    pub record: Record,
    /// Trace context of the command that led to it.
    pub traceparent: Option<String>,
}

/// A row that is no record; its place is passed like any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// Where it stands.
    pub position: Position,
    /// The stream, as the row names it.
    pub stream: String,
    /// The sequence, as the row names it.
    pub sequence: Sequence,
    /// What is wrong with it.
    pub reason: String,
}

/// What stands at one place of the tail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly every row is an event; a box would cost each an allocation")]
pub enum TailRow {
    /// An event.
    Event(Tailed),
    /// A broken row.
    Undecodable(Undecodable),
}

#[derive(sqlx::FromRow)]
struct Place {
    txid: String,
    position: i64,
}

#[derive(sqlx::FromRow)]
struct PlacedEvent {
    #[sqlx(flatten)]
    place: Place,
    #[sqlx(flatten)]
    event: StoredEvent,
}

impl EventStore {
    /// The next `limit` events of the whole store after a position. Nothing will ever come before what this has answered.
    ///
    /// On PostgreSQL an open transaction anywhere in the cluster holds back whatever was appended after its first write.
    ///
    /// # Errors
    /// The database. A row that is no record is no error.
    pub async fn tail(&self, after: Position, limit: usize) -> Result<Vec<TailRow>> {
        let columns = StoredEvent::COLUMNS;
        let query = match self.database().dialect() {
            Dialect::Postgres => sql(format!(
                "select cast(txid as text) as txid, position, {columns} from events \
                 where (txid, position) > (cast($1 as text)::xid8, $2) and {SETTLED} \
                 order by events.txid, events.position limit $3"
            ))
            .bind(after.txid.to_string()),
            Dialect::Sqlite => sql(format!(
                "select '0' as txid, position, {columns} from event_positions placed \
                 join events using (aggregate_id, sequence) where aggregate_type = $1 and position > $2 \
                 order by position limit $3"
            ))
            .bind(Stream::TYPE.to_owned()),
        };
        let query = query.bind(big(after.number)).bind(big(limit as u64));
        let rows: Vec<PlacedEvent> = self.database().fetch_all(query).await?;
        Ok(rows.into_iter().map(PlacedEvent::read).collect())
    }

    /// The last position that [`EventStore::tail`] would answer now.
    ///
    /// # Errors
    /// The database.
    pub async fn tail_end(&self) -> Result<Position> {
        let query = match self.database().dialect() {
            Dialect::Postgres => sql(format!(
                "select cast(txid as text) as txid, position from events where {SETTLED} \
                 order by events.txid desc, events.position desc limit 1"
            )),
            Dialect::Sqlite => sql("select '0' as txid, position from event_positions order by position desc limit 1"),
        };
        let last: Option<Place> = self.database().fetch_optional(query).await?;
        Ok(last.map(|place| place.position()).unwrap_or_default())
    }

    /// For how long the next event of the tail has been waiting behind an open transaction; `None` when none waits. SQLite has
    /// one writer, so nothing ever waits there.
    ///
    /// # Errors
    /// The database.
    pub async fn tail_delay(&self) -> Result<Option<Duration>> {
        if self.database().dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let query = sql(format!(
            "select cast(extract(epoch from clock_timestamp() - recorded_at) as double precision) from events \
             where not ({SETTLED}) order by txid, position limit 1"
        ));
        let row: Option<(f64,)> = self.database().fetch_optional(query).await?;
        Ok(row.and_then(|(seconds,)| Duration::try_from_secs_f64(seconds.max(0.0)).ok()))
    }
}

impl Place {
    fn position(&self) -> Position {
        Position {
            txid: self.txid.parse().unwrap_or_default(),
            number: u64::try_from(self.position).unwrap_or_default(),
        }
    }
}

impl PlacedEvent {
    fn read(self) -> TailRow {
        let Self { place, event } = self;
        let position = place.position();
        match event.record() {
            Ok(record) => TailRow::Event(Tailed { position, record, traceparent: event.beside().traceparent }),
            Err(reason) => TailRow::Undecodable(Undecodable {
                position,
                sequence: event.sequence(),
                stream: event.aggregate_id,
                reason,
            }),
        }
    }
}
