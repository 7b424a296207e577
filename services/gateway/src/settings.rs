//! What a gateway needs to be started.

use std::time::Duration;

use commands::Commands;
use event_log::EventLog;
use event_store::EventStore;
use keyring::Keyring;
use metrics_exporter_prometheus::PrometheusHandle;
use projections::ReadModel;

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
}

impl Settings {
    /// Tokens signed with this secret, everything else as it is by default.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        let auth = auth::Settings { secret: secret.into(), issuer: None, audience: None };
        Self { auth, introspection: true, drain: Duration::from_secs(25) }
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
