use events::{ConversationId, Kind, Sequence};

/// A business rule said no. `code` is the rule's name, for programs; `message` is for persons.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// The rule's name: one of [`rules::code`](crate::rules::code).
    pub code: &'static str,
    /// Why, in words for a person; it quotes no content.
    pub message: String,
}

/// Why `decide` gave no events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A business rule said no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The conversation does not exist, or not for this person.
    #[error("there is no such conversation")]
    NotFound,
    /// The run is over, or another worker has taken it.
    #[error("the run is over or has been taken over")]
    Stale,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A business rule said no.
    #[error(transparent)]
    Rejected(Rejection),
    /// The conversation does not exist, or not for this caller.
    #[error("there is no such conversation")]
    NotFound,
    /// The input is malformed or over a limit.
    #[error("{0}")]
    Invalid(String),
    /// The idempotency key was used before, with other input.
    #[error("the idempotency key was used before with other input")]
    IdempotencyKeyReused,
    /// The run is over, or another worker has taken it.
    #[error("the run is over or has been taken over")]
    Stale,
    /// Others wrote to the conversation all the time, or its turn to write did not come: the same command may succeed later.
    #[error("the conversation is busy")]
    Busy,
    /// What the store holds is no conversation.
    #[error("the stream of {conversation} is broken at sequence {sequence}")]
    Broken {
        /// The conversation.
        conversation: ConversationId,
        /// Where.
        sequence: Sequence,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] event_store::Error),
    /// The keys.
    #[error(transparent)]
    Keyring(#[from] keyring::Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rejected(rejection) => Self::Rejected(rejection),
            Refusal::NotFound => Self::NotFound,
            Refusal::Stale => Self::Stale,
        }
    }
}

impl Error {
    /// What it means to whoever asked.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Rejected(_) => Kind::Rejected,
            Self::NotFound => Kind::NotFound,
            Self::Invalid(_) => Kind::Invalid,
            Self::IdempotencyKeyReused | Self::Stale => Kind::Conflict,
            Self::Busy => Kind::Unavailable,
            Self::Broken { .. } => Kind::Internal,
            Self::Store(error) => error.kind(),
            Self::Keyring(error) => error.kind(),
        }
    }
}
