use database::Database;
use tokio::sync::watch;

use crate::Result;
use crate::append::Appender;

/// The events of all conversations, in one database. Cheap to clone.
#[derive(Clone)]
pub struct EventStore {
    database: Database,
    pub(crate) appender: Appender,
    pub(crate) appended: watch::Sender<u64>,
}

impl EventStore {
    /// Over a migrated database.
    ///
    /// # Errors
    /// None: the database is not asked before there is something to do.
    pub async fn new(database: Database) -> Result<Self> {
        let appender = Appender::new(&database);
        Ok(Self { database, appender, appended: watch::Sender::new(0) })
    }

    /// The database it lives in, for rows that belong into one transaction with a checkpoint.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Changes after each append of this process. Appends of other processes don't show: a reader of the tail also polls.
    #[must_use]
    pub fn appended(&self) -> watch::Receiver<u64> {
        self.appended.subscribe()
    }
}
