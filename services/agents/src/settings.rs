use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::budget::Budgets;
use crate::money::Prices;
use crate::tool::ToolSettings;
use crate::work::Kind;

/// How this process runs agents.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names this process among all workers, once per start: two processes never share it.
    pub worker: String,
    /// How long a silent worker keeps its runs; it renews them three times as often.
    pub lease: Duration,
    /// What this process does.
    pub roles: Vec<Role>,
    /// Answers that this process makes at once; turns and tool calls as many each.
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
    /// How long a tool call waits for a person.
    pub approval_expiry: Duration,
    /// How much a turn may take.
    pub budgets: Budgets,
    /// What models cost.
    pub prices: Prices,
    /// What agents can use.
    pub tools: ToolSettings,
    /// The model that gives conversations a title; none: they get none by themselves.
    pub title_model: Option<String>,
    /// When a provider's server is left alone.
    pub breaker: BreakerSettings,
    /// Servers that offer models, by the name that stands before the slash.
    pub providers: BTreeMap<String, Provider>,
}

/// A part of what agents do; several processes may share each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Begins turns and leads them from step to step.
    Turns,
    /// Asks models.
    Models,
    /// Runs tools.
    Tools,
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

/// When a provider's server is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// After so many requests in a row that failed by its fault.
    pub failures: u32,
    /// Until one request tries it again.
    pub open: Duration,
}

/// A server that offers models.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What it speaks.
    pub kind: ProviderKind,
    /// Where `/chat/completions` is; of Anthropic's protocol, where `/v1/messages` is.
    pub base_url: String,
    /// Sent with every request, to this server only.
    pub api_key: Option<Secret>,
    /// Models, `<provider>/<model>`, that are asked in its place, in this order.
    pub fallback: Vec<String>,
    /// Its own patience, in place of everybody's.
    pub timeouts: Option<Timeouts>,
    /// Its own limit of a line, in place of everybody's.
    pub line_limit: Option<usize>,
    /// Its own breaker, in place of everybody's.
    pub breaker: Option<BreakerSettings>,
    /// The longest answer in tokens where nothing else is said; only Anthropic's protocol needs it.
    pub max_output_tokens: u32,
}

/// What a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenAI's chat completions, streamed.
    OpenAi,
    /// Anthropic's Messages, streamed.
    Anthropic,
}

impl Provider {
    /// A server without key, fallbacks, or anything of its own.
    #[must_use]
    pub fn new(kind: ProviderKind, base_url: impl Into<String>) -> Self {
        Self {
            kind,
            base_url: base_url.into(),
            api_key: None,
            fallback: Vec::new(),
            timeouts: None,
            line_limit: None,
            breaker: None,
            max_output_tokens: 8192,
        }
    }
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

impl Settings {
    /// How much of a kind this process does at once; 0: none of it.
    pub(crate) fn at_once(&self, kind: Kind) -> usize {
        if self.does(kind) { self.concurrency } else { 0 }
    }

    pub(crate) fn does(&self, kind: Kind) -> bool {
        self.roles.iter().any(|role| role.does(kind))
    }
}

impl Role {
    fn does(self, kind: Kind) -> bool {
        match kind {
            Kind::Turn => self == Self::Turns,
            Kind::Run | Kind::Title => self == Self::Models,
            Kind::Tool => self == Self::Tools,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker: uuid::Uuid::now_v7().simple().to_string(),
            lease: Duration::from_secs(10),
            roles: vec![Role::Turns, Role::Models, Role::Tools],
            concurrency: 64,
            exclusive: false,
            drain: Duration::from_secs(25),
            timeouts: Timeouts::default(),
            line_limit: 1 << 20,
            answer_limit: 512 << 10,
            history_limit: 256 << 10,
            offline_pace: Duration::from_millis(30),
            approval_expiry: Duration::from_secs(24 * 3600),
            budgets: Budgets::default(),
            prices: Prices::default(),
            tools: ToolSettings::default(),
            title_model: None,
            breaker: BreakerSettings::default(),
            providers: BTreeMap::new(),
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

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 5, open: Duration::from_secs(30) }
    }
}
