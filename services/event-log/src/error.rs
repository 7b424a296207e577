use events::Kind;
use rdkafka::error::KafkaError;

/// What this crate's functions answer.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the log could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address or an extra setting is not understood.
    #[error("{0}")]
    Settings(String),
    /// The broker does not answer, or takes no more for now.
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// Topics are missing, and we may not create them.
    #[error("topics are missing and may not be created: {}; somebody with the right has to run `loquent topics ensure`", .0.join(", "))]
    TopicsMissing(Vec<String>),
    /// The reader was too slow and has missed something; what it reads next comes after a gap.
    #[error("the reader of the log was too slow and has missed records")]
    Lagged,
    /// The reader has ended and gives nothing more: make a new one.
    #[error("the reader of the log has ended")]
    Closed,
    /// The store refused.
    #[error(transparent)]
    Store(#[from] event_store::Error),
    /// The broker or its client library refused.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

impl Error {
    /// What it means to whoever asked.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Settings(_) => Kind::Invalid,
            Self::Unavailable(_) | Self::TopicsMissing(_) | Self::Lagged | Self::Closed | Self::Kafka(_) => {
                Kind::Unavailable
            }
            Self::Store(error) => error.kind(),
        }
    }
}
