//! `loquent serve`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use event_log::EventLog;
use gateway::health::Health;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::banner::Banner;
use crate::config::{Config, Role};
use crate::exclusive::Exclusive;
use crate::failure::{During, Failure, Outcome};
use crate::node::{self, Node};
use crate::roles::{self, Shared};
use crate::supervisor::Supervisor;
use crate::telemetry;

/// How long a start waits for the broker before it goes on without.
const BROKER_PATIENCE: Duration = Duration::from_secs(10);

/// Runs this process's roles until told to stop.
///
/// # Errors
/// It cannot start, or a role failed.
pub(crate) async fn run(config: Config) -> Outcome<()> {
    config.check_form()?;
    let catalog = Arc::new(node::catalog(&config)?);
    let opens_texts = config.roles.iter().any(|role| !matches!(role, Role::Projections | Role::Relay));
    let is_gateway = config.roles.contains(&Role::Gateway);
    let (jwt_secret, own) =
        if is_gateway { node::jwt_secret(&config).map(|(s, own)| (Some(s), own))? } else { (None, false) };
    let metrics = telemetry::start_metrics()?;
    let mut tasks = Supervisor::new()?;
    if config.log.is_embedded() {
        let exclusive = exclusive(&config).await?;
        let store = config.store.clone();
        tasks.spawn("exclusive", |stop| exclusive.hold(store, stop));
    }
    let node = Node::open(&config).await?;
    let keyring = if opens_texts { Some(node::keyring(&config, &node.database).await?) } else { None };
    topics(&node.log, &mut tasks).await?;
    let listener =
        TcpListener::bind(&config.server.listen).await.during(&format!("cannot listen at {}", config.server.listen))?;
    let address = listener.local_addr().during("the listener")?;
    let shared = Shared { config, node, catalog, keyring, jwt_secret, health: Health::new(), metrics };
    roles::start(&shared, listener, &mut tasks)?;
    let database = shared.node.database.clone();
    let banner = Banner::new(&shared, address, own)?;
    drop(shared);
    let told = tasks.shutdown();
    tokio::spawn(announce(banner, address, told));
    let ended = tasks.run().await;
    let _ = tokio::time::timeout(Duration::from_secs(1), database.close()).await;
    ended
}

async fn exclusive(config: &Config) -> Outcome<Exclusive> {
    // The lock's file stands beside the database, whose folder may be missing yet.
    node::make_folders(config)?;
    Exclusive::take(&config.store).await
}

/// Makes missing topics; while the broker is down that waits in the background, for commands are accepted without it.
async fn topics(log: &EventLog, tasks: &mut Supervisor) -> Outcome<()> {
    match tokio::time::timeout(BROKER_PATIENCE, log.ensure_topics()).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error @ event_log::Error::TopicsMissing(_))) => return Err(Failure::failed(error.to_string())),
        Ok(Err(error)) => tracing::warn!(%error, "the log's topics could not be looked at; this is tried again"),
        Err(_) => tracing::warn!("the broker does not answer; this is tried again"),
    }
    let log = log.clone();
    tasks.spawn("topics", |stop| async move {
        loop {
            match stop.run_until_cancelled(log.ensure_topics()).await {
                None => return Ok(()),
                Some(Ok(())) => break,
                Some(Err(error @ event_log::Error::TopicsMissing(_))) => return Err(error.into()),
                Some(Err(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
        stop.cancelled().await;
        Ok(())
    });
    Ok(())
}

/// Prints the banner once the door answers.
async fn announce(banner: Banner, address: SocketAddr, stop: CancellationToken) {
    while !stop.is_cancelled() && !answers(address).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if !stop.is_cancelled() {
        banner.print();
    }
}

async fn answers(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        std::io::Result::Ok(status.ends_with(b"200"))
    };
    tokio::time::timeout(Duration::from_secs(1), ask).await.is_ok_and(|answer| answer.unwrap_or(false))
}
