//! What a gateway needs to be started.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use commands::Commands;
use event_log::EventLog;
use event_store::EventStore;
use keyring::Keyring;
use metrics_exporter_prometheus::PrometheusHandle;
use projections::ReadModel;
use serde_json::Value;

use crate::auth;
use crate::health::Health;

/// How the doors behave.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which tokens are believed.
    pub auth: auth::Settings,
    /// Whether the schema may be asked for.
    pub introspection: bool,
    /// How long requests in flight may take to end once the process is told to stop.
    pub drain: Duration,
    /// The one currency that costs are shown in, also where nothing was spent.
    pub currency: String,
    /// Whether a tool takes the arguments that a person wants it to have.
    pub check_arguments: ArgumentCheck,
}

/// Says of a tool, by its name, and of arguments whether it takes them, else in words for a person why not.
#[derive(Clone)]
pub struct ArgumentCheck(Arc<Check>);

type Check = dyn Fn(&str, &Value) -> Result<(), String> + Send + Sync;

impl ArgumentCheck {
    /// By this rule.
    pub fn new(check: impl Fn(&str, &Value) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }

    pub(crate) fn check(&self, tool: &str, arguments: &Value) -> Result<(), String> {
        (self.0)(tool, arguments)
    }
}

impl fmt::Debug for ArgumentCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArgumentCheck")
    }
}

impl Settings {
    /// Tokens signed with this secret, everything else as it is by default.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        let auth = auth::Settings { secret: secret.into(), issuer: None, audience: None };
        Self {
            auth,
            introspection: true,
            drain: Duration::from_secs(25),
            currency: "USD".into(),
            check_arguments: ArgumentCheck::new(|_, _| Ok(())),
        }
    }
}

/// The parts of the process that the doors lead to.
#[derive(Clone)]
pub struct Deps {
    /// The truth, for live updates.
    pub store: EventStore,
    /// What carries events and chunks here.
    pub log: EventLog,
    /// Persons and the keys that open their texts.
    pub keyring: Keyring,
    /// Where mutations go.
    pub commands: Commands,
    /// What queries ask.
    pub read_model: ReadModel,
    /// The process's health; other roles may have registered theirs.
    pub health: Health,
    /// What `/metrics` shows; without it the path does not exist.
    pub metrics: Option<PrometheusHandle>,
}
