use events::{Kind, PersonId};

/// What this crate's functions answer.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a key or a sealed value is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not base64 of 32 bytes.
    #[error("a master key is 32 bytes in base64")]
    MalformedMasterKey,
    /// Another master key wrapped what the store holds.
    #[error("the store's keys were wrapped by another master key")]
    WrongMasterKey,
    /// A token may carry any name; the store does not keep any.
    #[error("a tenant, issuer or subject has at most 512 bytes and no NUL")]
    UnusableName,
    /// Never known, or erased.
    #[error("there is no person {0}")]
    NoSuchPerson(PersonId),
    /// A stored key does not unwrap: its row was altered or moved.
    #[error("a stored key is damaged: {0}")]
    DamagedKey(&'static str),
    /// A sealed value that its own key does not open: it was altered, or moved from another place.
    #[error("a sealed value does not open: {0}")]
    DamagedValue(&'static str),
    /// Another request kept being faster; asking again is right.
    #[error("the keys of a person changed while they were read")]
    Unsettled,
    /// The database said no, or nothing.
    #[error(transparent)]
    Database(#[from] database::Error),
}

impl Error {
    /// What the failure means to whoever asked.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::MalformedMasterKey | Self::WrongMasterKey | Self::UnusableName => Kind::Invalid,
            Self::NoSuchPerson(_) => Kind::NotFound,
            Self::Unsettled => Kind::Unavailable,
            Self::Database(error) if error.is_unavailable() => Kind::Unavailable,
            Self::DamagedKey(_) | Self::DamagedValue(_) | Self::Database(_) => Kind::Internal,
        }
    }
}
