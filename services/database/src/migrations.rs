//! The schema's history: the same numbers for both engines, compiled in.

use std::collections::HashSet;

use futures::future::BoxFuture;
use sqlx::migrate::{Migrate, Migrator};

use crate::{Database, Result};

static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");

impl Database {
    /// Applies what is missing, one process at a time. A second run changes nothing.
    ///
    /// # Errors
    /// A migration fails, or the database was migrated by a newer build.
    pub fn migrate(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            match self {
                Self::Postgres(pool) => POSTGRES.run(pool).await?,
                Self::Sqlite { writer, .. } => SQLITE.run(writer).await?,
            }
            Ok(())
        })
    }

    /// Names of the migrations that are missing, oldest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn pending_migrations(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async move {
            let (migrator, applied) = match self {
                Self::Postgres(pool) => (&POSTGRES, applied(&mut *pool.acquire().await?).await?),
                Self::Sqlite { writer, .. } => (&SQLITE, applied(&mut *writer.acquire().await?).await?),
            };
            let missing = migrator.iter().filter(|migration| !applied.contains(&migration.version));
            Ok(missing.map(|migration| format!("{:04} {}", migration.version, migration.description)).collect())
        })
    }
}

async fn applied(connection: &mut impl Migrate) -> Result<HashSet<i64>> {
    connection.ensure_migrations_table().await?;
    Ok(connection.list_applied_migrations().await?.into_iter().map(|migration| migration.version).collect())
}
