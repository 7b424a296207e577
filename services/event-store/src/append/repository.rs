//! The library's repositories behind one call.

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{PersistedEventRepository, SerializedEvent};
use cqrs_es::{Aggregate, DomainEvent};
use database::Database;
use futures::future::BoxFuture;
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use sqlite_es::SqliteEventRepository;

use crate::Result;

/// The library's repository for the engine at hand; its readers are not used, they know no pages.
pub(super) enum Repository {
    Postgres(PostgresEventRepository),
    Sqlite(SqliteEventRepository),
}

impl Repository {
    pub(super) fn new(database: &Database) -> Self {
        match database {
            Database::Postgres(pool) => Self::Postgres(PostgresEventRepository::new(pool.clone())),
            Database::Sqlite { writer, .. } => Self::Sqlite(SqliteEventRepository::new(writer.clone())),
        }
    }

    /// Never with the library's own snapshot: with a stale counter it would commit the events and still answer "conflict".
    pub(super) fn persist<'a>(&'a self, rows: &'a [SerializedEvent]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match self {
                Self::Postgres(repository) => repository.persist::<Stream>(rows, None).await?,
                Self::Sqlite(repository) => repository.persist::<Stream>(rows, None).await?,
            }
            Ok(())
        })
    }
}

/// Tells the repositories the type of all streams; what happens in them is not this crate's to know.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Stream;

/// No value: the repositories only carry serialized events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Opaque {}

impl DomainEvent for Opaque {
    fn event_type(&self) -> String {
        match *self {}
    }
    fn event_version(&self) -> String {
        match *self {}
    }
}

impl Aggregate for Stream {
    const TYPE: &'static str = "conversation";
    type Command = Opaque;
    type Event = Opaque;
    type Error = std::convert::Infallible;
    type Services = ();

    async fn handle(&mut self, command: Opaque, (): &(), _: &EventSink<Self>) -> std::result::Result<(), Self::Error> {
        match command {}
    }
    fn apply(&mut self, event: Opaque) {
        match event {}
    }
}
