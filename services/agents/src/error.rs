use events::Kind;

/// What this crate's functions answer.
pub type Result<T> = std::result::Result<T, Error>;

/// Why agents cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A model's name that is neither `offline` nor `<provider>/<model>`.
    #[error("`{0}` is no model: it is `offline` or <provider>/<model>, for example openai/gpt-4o-mini")]
    Model(String),
    /// A model of a provider that is not configured.
    #[error("`{model}` names the unknown provider `{provider}`; known are: {known}")]
    UnknownProvider {
        /// The model's full name.
        model: String,
        /// The part before its slash.
        provider: String,
        /// Those that are configured.
        known: String,
    },
    /// An agent that may use a tool that there is not.
    #[error("agents.{agent} names the tool `{tool}`, which there is not")]
    UnknownTool {
        /// The agent.
        agent: String,
        /// The tool.
        tool: String,
    },
    /// A tool that cannot be what the settings say.
    #[error("{0}")]
    Tool(String),
    /// The past of a conversation is not what it should be.
    #[error("{0}")]
    History(&'static str),
    /// A provider that would stand in for itself.
    #[error("the provider `{provider}` names its own model `{model}` as a fallback")]
    OwnFallback {
        /// The provider.
        provider: String,
        /// The fallback.
        model: String,
    },
    /// There is no such call or run.
    #[error("there is no such model call or run")]
    NotFound,
    /// What was asked has been erased since.
    #[error("erased")]
    Erased,
    /// The database refused.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] event_store::Error),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// A key is missing or does not open.
    #[error(transparent)]
    Keyring(#[from] keyring::Error),
    /// A command was refused.
    #[error(transparent)]
    Command(#[from] commands::Error),
}

impl Error {
    /// What it means to whoever asked.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Model(_)
            | Self::UnknownProvider { .. }
            | Self::OwnFallback { .. }
            | Self::UnknownTool { .. }
            | Self::Tool(_) => Kind::Invalid,
            Self::NotFound | Self::Erased => Kind::NotFound,
            Self::History(_) => Kind::Internal,
            Self::Database(error) if error.is_unavailable() => Kind::Unavailable,
            Self::Database(_) => Kind::Internal,
            Self::Store(error) => error.kind(),
            Self::Log(error) => error.kind(),
            Self::Keyring(error) => error.kind(),
            Self::Command(error) => error.kind(),
        }
    }
}
