use crate::{Result, Row, Sql};

/// A transaction that writes; rolled back when dropped.
#[derive(Debug)]
pub enum Transaction {
    /// On PostgreSQL.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
    /// On SQLite; it holds the one writing connection.
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
}

impl Transaction {
    /// Runs a statement and answers how many rows it touched.
    ///
    /// # Errors
    /// What the database says; PostgreSQL then refuses everything but a rollback.
    pub async fn execute(&mut self, sql: Sql) -> Result<u64> {
        Ok(match self {
            Self::Postgres(tx) => sqlx::query_with(&sql.text, sql.postgres?).execute(&mut **tx).await?.rows_affected(),
            Self::Sqlite(tx) => sqlx::query_with(&sql.text, sql.sqlite?).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Reads all rows, also those of a statement that writes and returns.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fetch_all<R: Row>(&mut self, sql: Sql) -> Result<Vec<R>> {
        Ok(match self {
            Self::Postgres(tx) => sqlx::query_as_with(&sql.text, sql.postgres?).fetch_all(&mut **tx).await?,
            Self::Sqlite(tx) => sqlx::query_as_with(&sql.text, sql.sqlite?).fetch_all(&mut **tx).await?,
        })
    }

    /// Reads the first row, if there is one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fetch_optional<R: Row>(&mut self, sql: Sql) -> Result<Option<R>> {
        Ok(match self {
            Self::Postgres(tx) => sqlx::query_as_with(&sql.text, sql.postgres?).fetch_optional(&mut **tx).await?,
            Self::Sqlite(tx) => sqlx::query_as_with(&sql.text, sql.sqlite?).fetch_optional(&mut **tx).await?,
        })
    }

    /// Makes it durable: when this answers, the change survives a power loss.
    ///
    /// # Errors
    /// What the database says; whether the change took place is then unknown.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Postgres(tx) => tx.commit().await?,
            Self::Sqlite(tx) => tx.commit().await?,
        }
        Ok(())
    }
}
