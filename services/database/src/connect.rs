//! Opening a store by its address.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Executor};

use crate::rows::Rows;
use crate::{Error, Result, Row, Sql, Transaction};

/// Connections that a process keeps to PostgreSQL at most.
const POSTGRES_CONNECTIONS: u32 = 24;
/// Connections that read SQLite at once; one more writes.
const SQLITE_READERS: u32 = 4;
/// How long a statement waits for a free connection, or for SQLite's write lock of another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection that was used just now is taken without a question, which would cost each statement a round trip.
const UNTESTED: Duration = Duration::from_secs(1);

/// An open store. Cheap to clone; all clones share the connections.
#[derive(Clone, Debug)]
pub enum Database {
    /// Many writers, many processes.
    Postgres(PgPool),
    /// One file beside one process: one connection writes, several read.
    Sqlite {
        /// The one that writes.
        writer: SqlitePool,
        /// Those that read; they never wait for the writer.
        readers: SqlitePool,
    },
}

/// Which SQL the store speaks, for the few places that must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL 15 or later.
    Postgres,
    /// SQLite, as compiled in.
    Sqlite,
}

impl Database {
    /// Opens `sqlite://<path>` (made if it is not there, with `keys.db` beside it, attached as `loquent_keys`) or `postgres://…`.
    ///
    /// # Errors
    /// The address is of neither form, or the database does not answer.
    pub fn connect(url: &str) -> BoxFuture<'_, Result<Self>> {
        Box::pin(Self::open(url))
    }

    async fn open(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Self::open_sqlite(Path::new(path)).await;
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Error::UnknownScheme);
        }
        // A session that sits in an open transaction would hold every reader of the tail back.
        let options = PgConnectOptions::from_str(url)?.application_name("loquent").options([
            ("idle_in_transaction_session_timeout", "5s"),
            ("lock_timeout", "10s"),
            ("statement_timeout", "60s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .before_acquire(|connection, use_of| {
                Box::pin(async move {
                    if use_of.idle_for < UNTESTED {
                        return Ok(true);
                    }
                    connection.ping().await.map(|()| true)
                })
            });
        Ok(Self::Postgres(pool.connect_with(options).await?))
    }

    async fn open_sqlite(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            .foreign_keys(true);
        let keys = path.with_file_name("keys.db").to_string_lossy().replace('\'', "''");
        let attach = format!(
            "attach database '{keys}' as loquent_keys; pragma loquent_keys.journal_mode = wal; \
             pragma loquent_keys.synchronous = full; pragma loquent_keys.secure_delete = on"
        );
        let pool = |connections: u32, options: SqliteConnectOptions| {
            let attach = attach.clone();
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
                .idle_timeout(None)
                .max_lifetime(None)
                .after_connect(move |connection, _| {
                    let attach = attach.clone();
                    Box::pin(async move { connection.execute(attach.as_str()).await.map(|_| ()) })
                })
                .connect_with(options)
        };
        let writer = pool(1, options.clone()).await?;
        let readers = pool(SQLITE_READERS, options.pragma("query_only", "on")).await?;
        Ok(Self::Sqlite { writer, readers })
    }

    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite { .. } => Dialect::Sqlite,
        }
    }

    /// An SQL expression: milliseconds since 1970 by the database's clock, which all processes share, as a bigint.
    #[must_use]
    pub fn clock(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "(extract(epoch from clock_timestamp()) * 1000)::bigint",
            Self::Sqlite { .. } => "cast(unixepoch('subsec') * 1000 as integer)",
        }
    }

    /// Begins a transaction that writes; it is rolled back when dropped. None of ours lasts over a second.
    ///
    /// # Errors
    /// No connection within 5 s.
    pub fn begin(&self) -> BoxFuture<'_, Result<Transaction>> {
        Box::pin(async move {
            Ok(match self {
                Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
                // In a task of its own: sqlx leaves the connection inside the transaction when this future is dropped in mid-way,
                // and there is no other connection that writes. A task goes on, and what it began is rolled back.
                Self::Sqlite { writer, .. } => {
                    let writer = writer.clone();
                    let begun = tokio::spawn(async move { writer.begin_with("begin immediate").await });
                    Transaction::Sqlite(begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
                }
            })
        })
    }

    /// Runs one statement in a transaction of its own and answers how many rows it touched.
    ///
    /// # Errors
    /// What the database says.
    pub fn execute(&self, sql: Sql) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            Ok(match self {
                Self::Postgres(pool) => sqlx::query_with(&sql.text, sql.postgres?).execute(pool).await?.rows_affected(),
                Self::Sqlite { writer, .. } => {
                    sqlx::query_with(&sql.text, sql.sqlite?).execute(writer).await?.rows_affected()
                }
            })
        })
    }

    /// Reads all rows. On SQLite it reads beside the writer, so a statement that also writes belongs into a transaction.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fetch_all<R: Row>(&self, sql: Sql) -> Result<Vec<R>> {
        self.rows(sql).await?.read()
    }

    /// Reads the first row, if there is one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fetch_optional<R: Row>(&self, sql: Sql) -> Result<Option<R>> {
        Ok(self.first_row(sql).await?.read()?.pop())
    }

    fn rows(&self, sql: Sql) -> BoxFuture<'_, Result<Rows>> {
        Box::pin(async move {
            Ok(match self {
                Self::Postgres(pool) => {
                    Rows::Postgres(sqlx::query_with(&sql.text, sql.postgres?).fetch_all(pool).await?)
                }
                Self::Sqlite { readers, .. } => {
                    Rows::Sqlite(sqlx::query_with(&sql.text, sql.sqlite?).fetch_all(readers).await?)
                }
            })
        })
    }

    fn first_row(&self, sql: Sql) -> BoxFuture<'_, Result<Rows>> {
        Box::pin(async move {
            Ok(match self {
                Self::Postgres(pool) => {
                    let row = sqlx::query_with(&sql.text, sql.postgres?).fetch_optional(pool).await?;
                    Rows::Postgres(Vec::from_iter(row))
                }
                Self::Sqlite { readers, .. } => {
                    let row = sqlx::query_with(&sql.text, sql.sqlite?).fetch_optional(readers).await?;
                    Rows::Sqlite(Vec::from_iter(row))
                }
            })
        })
    }

    /// Closes all connections; SQLite's write-ahead log is folded into its file.
    pub fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match self {
                Self::Postgres(pool) => pool.close().await,
                Self::Sqlite { writer, readers } => {
                    readers.close().await;
                    writer.close().await;
                }
            }
        })
    }
}
