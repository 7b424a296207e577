use futures::future::BoxFuture;

use crate::rows::Rows;
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
    pub fn execute(&mut self, sql: Sql) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            Ok(match self {
                Self::Postgres(tx) => {
                    sqlx::query_with(&sql.text, sql.postgres?).execute(&mut **tx).await?.rows_affected()
                }
                Self::Sqlite(tx) => sqlx::query_with(&sql.text, sql.sqlite?).execute(&mut **tx).await?.rows_affected(),
            })
        })
    }

    /// Reads all rows, also those of a statement that writes and returns.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fetch_all<R: Row>(&mut self, sql: Sql) -> Result<Vec<R>> {
        self.rows(sql).await?.read()
    }

    /// Reads the first row, if there is one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fetch_optional<R: Row>(&mut self, sql: Sql) -> Result<Option<R>> {
        Ok(self.first_row(sql).await?.read()?.pop())
    }

    /// Makes it durable: when this answers, the change survives a power loss.
    ///
    /// # Errors
    /// What the database says; whether the change took place is then unknown.
    pub fn commit(self) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            match self {
                Self::Postgres(tx) => tx.commit().await?,
                Self::Sqlite(tx) => tx.commit().await?,
            }
            Ok(())
        })
    }

    fn rows(&mut self, sql: Sql) -> BoxFuture<'_, Result<Rows>> {
        Box::pin(async move {
            Ok(match self {
                Self::Postgres(tx) => {
                    Rows::Postgres(sqlx::query_with(&sql.text, sql.postgres?).fetch_all(&mut **tx).await?)
                }
                Self::Sqlite(tx) => Rows::Sqlite(sqlx::query_with(&sql.text, sql.sqlite?).fetch_all(&mut **tx).await?),
            })
        })
    }

    fn first_row(&mut self, sql: Sql) -> BoxFuture<'_, Result<Rows>> {
        Box::pin(async move {
            Ok(match self {
                Self::Postgres(tx) => {
                    let row = sqlx::query_with(&sql.text, sql.postgres?).fetch_optional(&mut **tx).await?;
                    Rows::Postgres(Vec::from_iter(row))
                }
                Self::Sqlite(tx) => {
                    let row = sqlx::query_with(&sql.text, sql.sqlite?).fetch_optional(&mut **tx).await?;
                    Rows::Sqlite(Vec::from_iter(row))
                }
            })
        })
    }
}
