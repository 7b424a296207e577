//! What a process does: each role is one future that runs until the shutdown.

use std::sync::Arc;
use std::time::Duration;

use agents::{Agents, BreakerState};
use commands::Catalog;
use event_log::relay;
use gateway::health::{self, Health, Need};
use gateway::{ArgumentCheck, Deps, Gateway};
use keyring::Keyring;
use metrics_exporter_prometheus::PrometheusHandle;
use projections::ReadModel;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Role, Secret};
use crate::failure::{Failure, Outcome};
use crate::node::{self, Node};
use crate::supervisor::Supervisor;

/// Everything that the roles of this process share.
pub(crate) struct Shared {
    /// The settings.
    pub(crate) config: Config,
    /// The opened parts.
    pub(crate) node: Node,
    /// Agents and models.
    pub(crate) catalog: Arc<Catalog>,
    /// Persons and keys, for the roles that open texts.
    pub(crate) keyring: Option<Keyring>,
    /// Signs tokens; the gateway's.
    pub(crate) jwt_secret: Option<Secret>,
    /// What `/readyz` says.
    pub(crate) health: Health,
    /// What `/metrics` shows.
    pub(crate) metrics: PrometheusHandle,
}

/// Starts the roles of this process, and the listener that every process has.
///
/// # Errors
/// A role lacks what it needs.
pub(crate) fn start(shared: &Shared, listener: TcpListener, tasks: &mut Supervisor) -> Outcome<()> {
    let roles = &shared.config.roles;
    // A gateway accepts commands without the log; the other roles live from it.
    if !roles.contains(&Role::Gateway) {
        check_backends(shared);
        let (health, metrics) = (shared.health.clone(), shared.metrics.clone());
        tasks.spawn("health", |stop| async move { Ok(health::serve(listener, health, Some(metrics), stop).await?) });
    } else {
        gateway(shared, listener, tasks)?;
    }
    if roles.iter().any(|role| Role::AGENTS.contains(role)) {
        agents(shared, tasks)?;
    }
    if roles.contains(&Role::Projections) {
        let node = shared.node.clone();
        tasks.spawn("projections", |stop| async move {
            Ok(projections::run(node.database, node.store, node.log, stop).await?)
        });
    }
    if roles.contains(&Role::Relay) {
        let node = shared.node.clone();
        tasks.spawn("relay", |stop| async move { Ok(relay::run(node.store, node.log, node.name, stop).await?) });
    }
    let metrics = shared.metrics.clone();
    tasks.spawn("metrics", |stop| upkeep(metrics, stop));
    Ok(())
}

fn gateway(shared: &Shared, listener: TcpListener, tasks: &mut Supervisor) -> Outcome<()> {
    let (config, node) = (&shared.config, &shared.node);
    let keyring = unlocked(shared)?;
    let secret = shared.jwt_secret.as_ref().ok_or_else(|| Failure::failed("the gateway has no token secret"))?;
    let mut settings = gateway::Settings::new(secret.expose());
    settings.auth.issuer.clone_from(&config.tokens.issuer);
    settings.auth.audience.clone_from(&config.tokens.audience);
    settings.introspection = config.server.introspection;
    settings.drain = config.server.drain;
    settings.check_arguments = ArgumentCheck::new(agents::argument_check(&config.agents.tools)?);
    if !config.agents.prices.currency.is_empty() {
        settings.currency.clone_from(&config.agents.prices.currency);
    }
    let deps = Deps {
        store: node.store.clone(),
        log: node.log.clone(),
        commands: node::commands(node, &keyring, &shared.catalog),
        read_model: ReadModel::new(node.database.clone()),
        keyring,
        health: shared.health.clone(),
        metrics: Some(shared.metrics.clone()),
    };
    let gateway = Gateway::new(settings, deps)?;
    tasks.spawn("gateway", |stop| async move { Ok(gateway.serve(listener, stop).await?) });
    Ok(())
}

fn agents(shared: &Shared, tasks: &mut Supervisor) -> Outcome<()> {
    let node = &shared.node;
    let keyring = unlocked(shared)?;
    let commands = node::commands(node, &keyring, &shared.catalog);
    let settings = node::agent_settings(&shared.config, node);
    let (database, store, log) = (node.database.clone(), node.store.clone(), node.log.clone());
    let agents = Agents::new(settings, database, store, log, keyring, commands)?;
    let breakers = agents.breakers();
    shared.health.check("models", Need::Helpful, move || {
        let states = breakers.states();
        async move { all_closed(&states) }
    });
    tasks.spawn("agents", |stop| async move { Ok(agents.run(stop).await?) });
    Ok(())
}

/// A provider that is left alone is nothing that this process could mend.
fn all_closed(states: &[(String, BreakerState)]) -> Result<(), String> {
    let open = states.iter().filter(|(_, state)| *state != BreakerState::Closed);
    let open: Vec<_> = open.map(|(provider, state)| format!("{provider}: {}", state.as_str())).collect();
    if open.is_empty() { Ok(()) } else { Err(format!("circuit breakers: {}", open.join(", "))) }
}

fn unlocked(shared: &Shared) -> Outcome<Keyring> {
    shared.keyring.clone().ok_or_else(|| Failure::failed("the master key is missing"))
}

fn check_backends(shared: &Shared) {
    let (store, log) = (shared.node.store.clone(), shared.node.log.clone());
    shared.health.check("store", Need::Required, move || {
        let store = store.clone();
        async move { store.tail_end().await.map(drop).map_err(|_| "the store does not answer".to_owned()) }
    });
    shared.health.check("log", Need::Required, move || {
        let log = log.clone();
        async move { if log.healthy().await { Ok(()) } else { Err("the log does not answer".to_owned()) } }
    });
}

/// Histograms collect samples until somebody folds them.
async fn upkeep(metrics: PrometheusHandle, stop: CancellationToken) -> Outcome<()> {
    while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(5))).await.is_some() {
        metrics.run_upkeep();
    }
    Ok(())
}
