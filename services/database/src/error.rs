/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store's address is none that we know.
    #[error("the store's address must begin with sqlite:// or postgres://")]
    UnknownScheme,
    /// The database answered with an error, or not at all.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// A migration failed, or the database was migrated by a newer build.
    #[error(transparent)]
    Migration(#[from] sqlx::migrate::MigrateError),
}

impl Error {
    /// A primary key or unique index refused a row.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// The database cannot be reached, refuses to work now or is full: the same statement may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Sql(error) => is_unavailable(error),
            Self::UnknownScheme | Self::Migration(_) => false,
        }
    }
}

/// As [`Error::is_unavailable`], for an error of the driver's own.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // What a connection says that is cut in the middle of a word, by a proxy for example.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| unavailable_code(&code)),
        _ => false,
    }
}

/// PostgreSQL: connection exceptions, read-only, out of resources, shut down, starting. SQLite: busy, locked, I/O error, full, cannot open.
fn unavailable_code(code: &str) -> bool {
    const CLASSES: [&str; 3] = ["08", "53", "57P"];
    const CODES: [&str; 8] = ["25006", "40001", "40P01", "5", "6", "10", "13", "14"];
    if code.len() == 5 {
        return CLASSES.iter().any(|class| code.starts_with(class)) || CODES.contains(&code);
    }
    // SQLite's extended codes carry the primary one in their low byte.
    code.parse::<i32>().is_ok_and(|code| CODES.contains(&(code & 0xff).to_string().as_str()))
}
