use std::sync::Arc;

use cqrs_es::persist::PersistenceError;
use events::{ConversationId, Kind, Sequence};
use sqlx::error::ErrorKind;

/// What this crate's functions answer.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sequence or the idempotency key is taken; which of them, a look for the key tells.
    #[error("the stream has grown, or the idempotency key was used")]
    Conflict,
    /// What was to be appended is not one piece of one stream.
    #[error("events to append must be of one stream, with contiguous sequences below 2^31")]
    NotContiguous,
    /// A stored row cannot be read as the record it must be.
    #[error("event {sequence} of {stream} cannot be read: {reason}")]
    Unreadable {
        /// The stream.
        stream: ConversationId,
        /// Place in the stream.
        sequence: Sequence,
        /// What is wrong with it.
        reason: String,
    },
    /// The database said no, or nothing.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The transaction that it shared with others failed, and it is unknown whether it took place.
    #[error(transparent)]
    Group(Arc<Error>),
    /// A repository failed before it reached the database.
    #[error("the repository failed: {0}")]
    Repository(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// What the failure means to whoever asked.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Conflict => Kind::Conflict,
            Self::Database(error) if error.is_unavailable() => Kind::Unavailable,
            Self::Group(error) => error.kind(),
            Self::NotContiguous | Self::Unreadable { .. } | Self::Database(_) | Self::Repository(_) => Kind::Internal,
        }
    }

    /// Whether the transaction was certainly undone, because of what it held: a part of it may succeed.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Conflict | Self::Repository(_) => true,
            Self::Database(database::Error::Sql(sqlx::Error::Database(error))) => {
                // PostgreSQL's classes of data that it does not take, and its deadlocks.
                let code = error.code().unwrap_or_default();
                error.kind() != ErrorKind::Other || code.len() == 5 && (code.starts_with("22") || code == "40P01")
            }
            _ => false,
        }
    }

    /// What everybody gets whose append was in the transaction that failed with this.
    pub(crate) fn of_group(error: &Arc<Self>) -> Self {
        match **error {
            Self::Conflict => Self::Conflict,
            _ => Self::Group(Arc::clone(error)),
        }
    }
}

impl From<PersistenceError> for Error {
    /// The repositories box the driver's errors and recognise a part of the conflicts only: the driver's own word counts.
    fn from(error: PersistenceError) -> Self {
        let cause = match error {
            PersistenceError::OptimisticLockError => return Self::Conflict,
            PersistenceError::ConnectionError(cause)
            | PersistenceError::DeserializationError(cause)
            | PersistenceError::UnknownError(cause) => cause,
        };
        match cause.downcast::<sqlx::Error>() {
            Ok(error) => match database::Error::from(*error) {
                error if error.is_unique_violation() => Self::Conflict,
                error => Self::Database(error),
            },
            Err(cause) => Self::Repository(cause),
        }
    }
}
