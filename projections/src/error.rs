use events::{ConversationId, Kind, Sequence};

/// What this crate's functions answer.
pub type Result<T> = std::result::Result<T, Error>;

/// Why rows could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The question is not well put: a cursor that is none, a page too large.
    #[error("{0}")]
    Invalid(&'static str),
    /// Events are missing between the rows and what was to be applied: applying it would lose them.
    #[error(
        "conversation {conversation} stands at sequence {stands} and got {found} next: events are missing in between, \
         `loquent rebuild all` takes them from the store"
    )]
    Gap {
        /// Where.
        conversation: ConversationId,
        /// The last event that the rows hold.
        stands: Sequence,
        /// The event that came.
        found: Sequence,
    },
    /// A stored row is not one that we wrote.
    #[error("a row of {table} has an unknown {column}; `loquent rebuild all` writes it anew")]
    Damaged {
        /// Its table.
        table: &'static str,
        /// What cannot be read.
        column: &'static str,
    },
    /// The database refused.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] event_store::Error),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// A part of the rebuild panicked.
    #[error("a part of the rebuild stopped: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

impl Error {
    /// What it means to whoever asked.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::Gap { .. } | Self::Damaged { .. } | Self::Stopped(_) => Kind::Internal,
            Self::Database(error) if error.is_unavailable() => Kind::Unavailable,
            Self::Database(_) => Kind::Internal,
            Self::Store(error) => error.kind(),
            Self::Log(error) => error.kind(),
        }
    }
}
