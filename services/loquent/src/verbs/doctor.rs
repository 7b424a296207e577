//! `loquent doctor`: what a start would meet, looked at without starting or changing anything.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::time::timeout;

use event_log::TopicDescription;
use event_store::EventStore;

use super::print;
use crate::cli::Output;
use crate::config::{Config, Store, secret};
use crate::failure::{Failure, Outcome};
use crate::node;

/// How long one thing may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was found out about one thing.
#[derive(Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// A start would go on, perhaps not as somebody wanted.
    Warning,
    /// A start would fail.
    Failed,
}

/// What a check found out, or why a start would fail on it.
type Checked = Outcome<(Status, String)>;

/// Looks at settings, models, keys, the store, the log and the door, and says what it found, one line each.
///
/// # Errors
/// Something would keep the node from starting.
pub(crate) async fn run(config: &Config, output: Output) -> Outcome<()> {
    let store = bounded(store(config)).await;
    let findings = [
        finding("settings", settings(config)),
        finding("models", models(config)),
        finding("secrets", secrets(config)),
        finding("store", store),
        finding("log", bounded(log(config)).await),
        finding("door", door(config).await),
    ];
    match output {
        Output::Json => print(serde_json::to_string_pretty(&findings)?)?,
        Output::Text => findings.iter().try_for_each(show)?,
    }
    match findings.iter().filter(|finding| finding.status == Status::Failed).count() {
        0 => Ok(()),
        failed => Err(Failure::failed(format!("{failed} of {} checks failed", findings.len()))),
    }
}

fn show(finding: &Finding) -> Outcome<()> {
    let status = match finding.status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Failed => "FAILED",
    };
    print(format_args!("{:<9}{:<8}{}", finding.check, status, finding.detail.replace('\n', " ")))
}

fn finding(check: &'static str, checked: Checked) -> Finding {
    let (status, detail) = checked.unwrap_or_else(|failure| (Status::Failed, failure.message().to_owned()));
    Finding { check, status, detail }
}

async fn bounded(check: impl Future<Output = Checked>) -> Checked {
    let no_answer = || Failure::failed(format!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, check).await.unwrap_or_else(|_| Err(no_answer()))
}

fn settings(config: &Config) -> Checked {
    config.check_form()?;
    let roles: Vec<_> = config.roles.iter().map(|role| role.name()).collect();
    Ok((Status::Ok, format!("roles {}", roles.join(", "))))
}

fn models(config: &Config) -> Checked {
    let catalog = node::catalog(config)?;
    let status = if config.agents.model == "offline" { Status::Warning } else { Status::Ok };
    let hint = if status == Status::Warning { ", which is no language model; set --model" } else { "" };
    Ok((status, format!("{} agents; the default model is {}{hint}", catalog.agents.len(), config.agents.model)))
}

/// Those that the embedded node makes itself are not made here.
fn secrets(config: &Config) -> Checked {
    let given = (config.tokens.secret.is_some(), config.master_key.is_some());
    let missing = match given {
        (true, true) => return Ok((Status::Ok, "LOQUENT_JWT_SECRET and LOQUENT_MASTER_KEY are set".into())),
        (false, true) => "LOQUENT_JWT_SECRET",
        (true, false) => "LOQUENT_MASTER_KEY",
        (false, false) => "LOQUENT_JWT_SECRET and LOQUENT_MASTER_KEY",
    };
    match config.store {
        Store::Sqlite(_) => Ok((Status::Ok, format!("{missing}: the node's own, in {}", config.data_dir.display()))),
        Store::Postgres(_) => Err(Failure::failed(format!("missing with PostgreSQL: {missing}"))),
    }
}

async fn store(config: &Config) -> Checked {
    let shown = secret::without_password(&config.store.url());
    if let Store::Sqlite(path) = &config.store
        && !Path::new(path).exists()
    {
        return Ok((Status::Ok, format!("{shown} will be made")));
    }
    let database = node::open_database(config).await?;
    let missing = database.pending_migrations().await?;
    let found = match &config.store {
        _ if missing.is_empty() => Ok((Status::Ok, format!("{shown}, up to date"))),
        Store::Sqlite(_) => Ok((Status::Warning, format!("{shown}; a start applies {}", missing.join(", ")))),
        Store::Postgres(_) => node::refuse_outdated(&database).await.map(|()| (Status::Ok, shown)),
    };
    database.close().await;
    found
}

async fn log(config: &Config) -> Checked {
    if config.log.is_embedded() {
        return Ok((Status::Ok, "embedded, in the store".into()));
    }
    if let Store::Sqlite(_) = config.store {
        return Err(Failure::failed("a Kafka log needs a PostgreSQL store"));
    }
    let database = node::open_database(config).await?;
    let store = EventStore::new(database.clone()).await?;
    let topics = node::open_log(config, "doctor", store).await?.describe_topics().await?;
    database.close().await;
    let missing: Vec<_> = topics.iter().filter(|topic| !topic.exists).map(|topic| topic.name.as_str()).collect();
    if missing.is_empty() {
        let shown = |topic: &TopicDescription| format!("{} ({} partitions)", topic.name, topic.partitions);
        let topics: Vec<_> = topics.iter().map(shown).collect();
        return Ok((Status::Ok, format!("{}: {}", config.log.url, topics.join(", "))));
    }
    let missing = missing.join(", ");
    Ok((Status::Warning, format!("{}: a start makes {missing}, or run: loquent topics ensure", config.log.url)))
}

async fn door(config: &Config) -> Checked {
    let listen = &config.server.listen;
    match TcpListener::bind(listen).await {
        Ok(_) => Ok((Status::Ok, format!("{listen} is free"))),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok((Status::Warning, format!("{listen} is in use, by a running node or by something else")))
        }
        Err(error) => Err(Failure::failed(format!("{listen}: {error}"))),
    }
}
