//! The parts of this process, opened from the settings; who needs one takes a clone.

use std::sync::Arc;
use std::time::Duration;

use agents::Provider;
use commands::{AgentProfile, Catalog, Commands};
use database::Database;
use event_log::EventLog;
use event_store::EventStore;
use keyring::{Keyring, MasterKey};

use crate::config::{Agents, Config, Profile, Role, Secret, Store, secret};
use crate::failure::{During, Failure, Outcome};
use crate::own_secrets;

/// The file in the data directory that holds the secret of tokens.
const JWT_SECRET: &str = "jwt-secret";
/// The file in the data directory that holds the master key.
const MASTER_KEY: &str = "master-key";

/// What every role is made of.
#[derive(Clone)]
pub(crate) struct Node {
    /// This process's name among all of them, new at each start.
    pub(crate) name: String,
    /// The database under everything.
    pub(crate) database: Database,
    /// The truth.
    pub(crate) store: EventStore,
    /// The order that everyone reads.
    pub(crate) log: EventLog,
}

impl Node {
    /// Opens store and log. The embedded node brings its own database up to date; PostgreSQL has to be.
    ///
    /// # Errors
    /// One of them can't be reached, or the database is of an older build.
    pub(crate) async fn open(config: &Config) -> Outcome<Self> {
        let database = open_database(config).await?;
        match &config.store {
            Store::Sqlite(_) => database.migrate().await.during("the store could not be migrated")?,
            Store::Postgres(_) => refuse_outdated(&database).await?,
        }
        let store = EventStore::new(database.clone()).await?;
        let name = process_name();
        let log = open_log(config, &name, store.clone()).await?;
        Ok(Self { name, database, store, log })
    }
}

/// Opens the database as it is.
///
/// # Errors
/// It cannot be reached.
pub(crate) async fn open_database(config: &Config) -> Outcome<Database> {
    make_folders(config)?;
    let url = config.store.url();
    let shown = secret::without_password(&url);
    Database::connect(&url).await.during(&format!("the store {shown} cannot be opened"))
}

/// Opens the log as it is.
///
/// # Errors
/// It cannot be reached.
pub(crate) async fn open_log(config: &Config, name: &str, store: EventStore) -> Outcome<EventLog> {
    EventLog::connect(log_settings(config, name), store).await.during("the log")
}

/// Makes the folders of an SQLite store that are missing.
///
/// # Errors
/// They cannot be made.
pub(crate) fn make_folders(config: &Config) -> Outcome<()> {
    let Store::Sqlite(path) = &config.store else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), own_secrets::make_folder)
}

/// Refuses to work on a database that lacks what this build needs.
///
/// # Errors
/// Migrations are missing; the message says what to run.
pub(crate) async fn refuse_outdated(database: &Database) -> Outcome<()> {
    let missing = database.pending_migrations().await?;
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Failure::failed(format!("the database is older than this build (missing: {missing}); run: loquent migrate")))
}

fn process_name() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty()).unwrap_or_else(|| "loquent".into());
    format!("{host}-{}-{:08x}", std::process::id(), rand::random::<u32>())
}

fn log_settings(config: &Config, name: &str) -> event_log::Settings {
    event_log::Settings {
        url: config.log.url.clone(),
        topic_prefix: config.log.topic_prefix.clone(),
        partitions: config.log.partitions,
        kafka: config.log.kafka.clone(),
        client_id: name.to_owned(),
        group_session_timeout: config.agents.lease.max(Duration::from_secs(6)),
    }
}

/// The secret of tokens: from the settings, or the embedded node's own (`true`).
///
/// # Errors
/// There is none, and this node may not make one.
pub(crate) fn jwt_secret(config: &Config) -> Outcome<(Secret, bool)> {
    if let Some(secret) = &config.tokens.secret {
        return Ok((secret.clone(), false));
    }
    required_with_postgres(config, "LOQUENT_JWT_SECRET", "it signs tokens, and all processes share it")?;
    let make = || Secret::new(MasterKey::generate().to_base64());
    Ok((own_secrets::find_or_make(&config.data_dir, JWT_SECRET, make)?, true))
}

/// The master key, in base64: from the settings, or the embedded node's own.
fn master_key(config: &Config) -> Outcome<Secret> {
    if let Some(key) = &config.master_key {
        return Ok(key.clone());
    }
    required_with_postgres(config, "LOQUENT_MASTER_KEY", "32 bytes in base64 that wrap the keys of all persons")?;
    let make = || Secret::new(MasterKey::generate().to_base64());
    own_secrets::find_or_make(&config.data_dir, MASTER_KEY, make)
}

fn required_with_postgres(config: &Config, variable: &str, what: &str) -> Outcome<()> {
    match config.store {
        Store::Sqlite(_) => Ok(()),
        Store::Postgres(_) => Err(Failure::usage(format!("{variable} is required with PostgreSQL: {what}"))),
    }
}

/// Persons and keys, unlocked.
///
/// # Errors
/// The master key is missing, malformed, or not the one that wrapped this store's keys.
pub(crate) async fn keyring(config: &Config, database: &Database) -> Outcome<Keyring> {
    let key: MasterKey =
        master_key(config)?.expose().parse().map_err(|error| Failure::usage(format!("LOQUENT_MASTER_KEY: {error}")))?;
    let keyring = Keyring::new(database.clone(), key);
    keyring.verify_master_key().await?;
    Ok(keyring)
}

/// Where mutations and agents go.
pub(crate) fn commands(node: &Node, keyring: &Keyring, catalog: &Arc<Catalog>) -> Commands {
    Commands::new(node.store.clone(), keyring.clone(), catalog.clone())
}

/// The agents and models of the settings.
///
/// # Errors
/// A model is of an unknown provider, or its provider's key is missing where it is needed.
pub(crate) fn catalog(config: &Config) -> Outcome<Catalog> {
    let agents = &config.agents;
    let mut catalog = Catalog::built_in(&agents.model);
    for (name, profile) in &agents.profiles {
        let built_in = || AgentProfile::new(name, "", &agents.model, "");
        lay_over(catalog.agents.entry(name.clone()).or_insert_with(built_in), profile);
    }
    for profile in catalog.agents.values() {
        if let Some(stranger) = profile.team.iter().find(|member| catalog.agent(member).is_none()) {
            return Err(Failure::usage(format!("agents.{}.team names {stranger}, which is no agent", profile.name)));
        }
    }
    catalog.approvers = agents.approvals.by;
    let own = catalog.agents.values().map(|agent| agent.model.clone()).chain([agents.model.clone()]);
    let mut models: Vec<String> = own.collect();
    models.sort_unstable();
    models.dedup();
    catalog.allowed_models = agents.allowed_models.clone().unwrap_or_else(|| models.clone());
    models.extend(catalog.allowed_models.iter().cloned());
    models.extend(agents.title_model.clone());
    check_models(config, &models)?;
    Ok(catalog)
}

/// What the file says of an agent wins over what is built in.
fn lay_over(entry: &mut AgentProfile, profile: &Profile) {
    fn set<T: Clone>(field: &mut T, value: &Option<T>) {
        if let Some(value) = value {
            field.clone_from(value);
        }
    }
    set(&mut entry.description, &profile.description);
    set(&mut entry.model, &profile.model);
    set(&mut entry.instructions, &profile.instructions);
    set(&mut entry.tools, &profile.tools);
    set(&mut entry.approval, &profile.approval);
    set(&mut entry.team, &profile.team);
    set(&mut entry.plan, &profile.plan);
    entry.temperature = profile.temperature.clone().or_else(|| entry.temperature.clone());
    entry.response_schema = profile.response_schema.clone().or_else(|| entry.response_schema.clone());
}

fn check_models(config: &Config, models: &[String]) -> Outcome<()> {
    let known = providers(&config.agents);
    agents::check_fallbacks(&known).map_err(|error| Failure::usage(error.to_string()))?;
    let mut models = models.to_vec();
    let mut checked = 0;
    while let Some(model) = models.get(checked).cloned() {
        checked += 1;
        agents::check_model(&known, &model).map_err(|error| Failure::usage(error.to_string()))?;
        let provider = model.split_once('/').and_then(|(name, _)| Some((name, config.agents.providers.get(name)?)));
        let Some((name, provider)) = provider.filter(|_| config.roles.contains(&Role::Models)) else { continue };
        // A server of one's own may want no key; a name that was given for one says that it does.
        let wants_key = !matches!(name, "openai" | "anthropic") || provider.is_original();
        if let Some(variable) = provider.key_env.as_ref().filter(|_| wants_key && provider.key.is_none()) {
            return Err(Failure::usage(format!("the model {model} needs {variable}, which is not set")));
        }
        let fallbacks = provider.fallback.iter().filter(|fallback| !models.contains(fallback)).cloned();
        models.extend(fallbacks.collect::<Vec<_>>());
    }
    Ok(())
}

fn providers(agents: &Agents) -> std::collections::BTreeMap<String, Provider> {
    let provider = |provider: &crate::config::agents::Provider| Provider {
        kind: provider.kind,
        base_url: provider.base_url.clone(),
        api_key: provider.key.as_ref().map(|key| agents::Secret::new(key.expose())),
        fallback: provider.fallback.clone(),
        timeouts: Some(timeouts(provider.timeouts)),
        line_limit: Some(provider.line_limit),
        breaker: Some(breaker(provider.breaker)),
        max_output_tokens: provider.max_output_tokens,
    };
    agents.providers.iter().map(|(name, settings)| (name.clone(), provider(settings))).collect()
}

fn timeouts(timeouts: crate::config::agents::Timeouts) -> agents::Timeouts {
    let crate::config::agents::Timeouts { connect, first_token, idle, total } = timeouts;
    agents::Timeouts { connect, first_token, idle, total }
}

fn breaker(breaker: crate::config::agents::Breaker) -> agents::BreakerSettings {
    agents::BreakerSettings { failures: breaker.failures, open: breaker.open }
}

fn roles(config: &Config) -> Vec<agents::Role> {
    let part = |role: &Role| match role {
        Role::Turns => Some(agents::Role::Turns),
        Role::Models => Some(agents::Role::Models),
        Role::Tools => Some(agents::Role::Tools),
        Role::Gateway | Role::Projections | Role::Relay => None,
    };
    config.roles.iter().filter_map(part).collect()
}

/// How this process runs agents.
pub(crate) fn agent_settings(config: &Config, node: &Node) -> agents::Settings {
    let settings = &config.agents;
    agents::Settings {
        worker: node.name.clone(),
        lease: settings.lease,
        concurrency: settings.concurrency,
        exclusive: config.log.is_embedded(),
        timeouts: timeouts(settings.timeouts),
        breaker: breaker(settings.breaker),
        line_limit: settings.line_limit,
        answer_limit: settings.answer_limit,
        history_limit: settings.history_limit,
        drain: config.server.drain,
        offline_pace: settings.offline_pace,
        providers: providers(settings),
        tools: settings.tools.clone(),
        roles: roles(config),
        approval_expiry: settings.approvals.expiry,
        budgets: settings.budgets.clone(),
        prices: settings.prices.clone(),
        title_model: settings.title_model.clone(),
    }
}
