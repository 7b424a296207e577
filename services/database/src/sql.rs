//! A statement with its parameters, bound for both drivers.

use std::fmt::Write;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Encode, FromRow, Postgres, Sqlite, Type};

/// A value that both drivers can bind.
pub trait Param:
    Clone + Send + 'static + Type<Postgres> + Type<Sqlite> + for<'q> Encode<'q, Postgres> + for<'q> Encode<'q, Sqlite>
{
}
impl<T> Param for T where
    T: Clone
        + Send
        + 'static
        + Type<Postgres>
        + Type<Sqlite>
        + for<'q> Encode<'q, Postgres>
        + for<'q> Encode<'q, Sqlite>
{
}

/// A row that both drivers can read; `#[derive(sqlx::FromRow)]` is enough.
pub trait Row: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}
impl<T> Row for T where T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}

/// A statement under construction. Parameters are numbered `$1`, `$2`, … in the order of their binding.
///
/// A statement may bind at most 32,766 values (SQLite's limit; PostgreSQL's is 65,535).
pub struct Sql {
    pub(crate) text: String,
    pub(crate) postgres: sqlx::Result<PgArguments>,
    pub(crate) sqlite: sqlx::Result<SqliteArguments<'static>>,
    bound: usize,
}

/// Begins a statement.
#[must_use]
pub fn sql(text: impl Into<String>) -> Sql {
    Sql { text: text.into(), postgres: Ok(PgArguments::default()), sqlite: Ok(SqliteArguments::default()), bound: 0 }
}

impl Sql {
    /// Binds the next parameter. A value that cannot be encoded makes the statement fail when it is run.
    #[must_use]
    pub fn bind<T: Param>(mut self, value: T) -> Self {
        self.bound += 1;
        if let Ok(arguments) = &mut self.postgres
            && let Err(error) = arguments.add(value.clone())
        {
            self.postgres = Err(sqlx::Error::Encode(error));
        }
        if let Ok(arguments) = &mut self.sqlite
            && let Err(error) = arguments.add(value)
        {
            self.sqlite = Err(sqlx::Error::Encode(error));
        }
        self
    }

    /// Appends text.
    #[must_use]
    pub fn push(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Appends `($1, $2, …)` with one value each, for `in`. An empty list is `(null)`, which matches nothing.
    #[must_use]
    pub fn list<T: Param>(self, values: impl IntoIterator<Item = T>) -> Self {
        let first = self.bound;
        let mut sql = values.into_iter().fold(self, Self::bind);
        let last = sql.bound;
        sql.placeholders(first, last);
        sql
    }

    /// Appends `($1, $2), ($3, $4), …`: one parenthesis a row, filled by what `bind` binds for it.
    #[must_use]
    pub fn values<T>(self, rows: impl IntoIterator<Item = T>, bind: impl Fn(Self, T) -> Self) -> Self {
        let mut sql = self;
        for (index, row) in rows.into_iter().enumerate() {
            if index > 0 {
                sql.text.push_str(", ");
            }
            let first = sql.bound;
            sql = bind(sql, row);
            let last = sql.bound;
            sql.placeholders(first, last);
        }
        sql
    }

    fn placeholders(&mut self, first: usize, last: usize) {
        self.text.push('(');
        for number in first + 1..=last {
            let separator = if number > first + 1 { ", " } else { "" };
            let _ = write!(self.text, "{separator}${number}");
        }
        self.text.push_str(if first == last { "null)" } else { ")" });
    }
}
