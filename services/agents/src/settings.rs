use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::tool::ToolSettings;

/// How this process runs agents.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names this process among all workers, once per start: two processes never share it.
    pub worker: String,
    /// How long a silent worker keeps its runs; it renews them three times as often.
    pub lease: Duration,
    /// Runs that this process works on at once.
    pub concurrency: usize,
    /// No other process runs agents on this store, so what an earlier one left behind is taken over at once.
    pub exclusive: bool,
    /// How long runs may go on after the process was told to stop; then other workers get them.
    pub drain: Duration,
    /// How long a model may take.
    pub timeouts: Timeouts,
    /// Bytes of one line of a model's stream; a longer one fails the answer.
    pub line_limit: usize,
    /// Bytes of an answer with its reasoning; a longer one is cut there and ends with `LENGTH`.
    pub answer_limit: usize,
    /// Bytes of past messages that a model is shown; the newest stay.
    pub history_limit: usize,
    /// Between two words of the offline model.
    pub offline_pace: Duration,
    /// Servers that offer models, by the name that stands before the slash.
    pub providers: BTreeMap<String, Provider>,
    /// What agents may do beside talking.
    pub tools: ToolSettings,
}

/// How long a model may take before the answer fails.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To reach its server.
    pub connect: Duration,
    /// From the request to the first piece of the answer.
    pub first_token: Duration,
    /// Between two pieces.
    pub idle: Duration,
    /// For all of it.
    pub total: Duration,
}

/// A server that offers models.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What it speaks.
    pub kind: ProviderKind,
    /// Where `/chat/completions` is.
    pub base_url: String,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
}

/// What a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenAI's chat completions, streamed.
    OpenAi,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker: uuid::Uuid::now_v7().simple().to_string(),
            lease: Duration::from_secs(10),
            concurrency: 64,
            exclusive: false,
            drain: Duration::from_secs(25),
            timeouts: Timeouts::default(),
            line_limit: 1 << 20,
            answer_limit: 512 << 10,
            history_limit: 256 << 10,
            offline_pace: Duration::from_millis(30),
            providers: BTreeMap::new(),
            tools: ToolSettings::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}
