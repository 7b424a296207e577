//! Rows between the driver and what is read from them.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::{Result, Row};

/// Rows as they came. Only the reading of them is compiled anew for every type that is read, not the way to the database.
pub(crate) enum Rows {
    Postgres(Vec<PgRow>),
    Sqlite(Vec<SqliteRow>),
}

impl Rows {
    pub(crate) fn read<R: Row>(&self) -> Result<Vec<R>> {
        let rows: sqlx::Result<Vec<R>> = match self {
            Self::Postgres(rows) => rows.iter().map(R::from_row).collect(),
            Self::Sqlite(rows) => rows.iter().map(R::from_row).collect(),
        };
        Ok(rows?)
    }
}
