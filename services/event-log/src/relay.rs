//! From the store to Kafka, in order, each event at least once.

mod term;
mod window;

use std::time::Duration;

use event_store::{EventStore, Lease};
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::term::{LEASE, Term};
use crate::{EventLog, Result};

/// How often those who stand by ask for the lease.
const STANDBY: Duration = Duration::from_millis(500);

/// Publishes the store's tail until `shutdown`. Of all processes that run this, one is active; the others stand by and the
/// first of them takes over within 5 s. On the embedded log it only waits.
///
/// # Errors
/// None that waiting could heal: those are tried again.
pub fn run(
    store: EventStore,
    log: EventLog,
    holder: String,
    shutdown: CancellationToken,
) -> BoxFuture<'static, Result<()>> {
    Box::pin(relay(store, log, holder, shutdown))
}

async fn relay(store: EventStore, log: EventLog, holder: String, shutdown: CancellationToken) -> Result<()> {
    let EventLog::Kafka(log) = log else {
        shutdown.cancelled().await;
        return Ok(());
    };
    let mut lease = Lease::new(store.database().clone(), "relay", &holder, LEASE);
    let mut complained = false;
    while !shutdown.is_cancelled() {
        let asked = Instant::now();
        let taken = lease.acquire().await;
        metrics::gauge!("loquent_relay_active").set(if matches!(taken, Ok(Some(_))) { 1.0 } else { 0.0 });
        match taken {
            Ok(Some(epoch)) => {
                info!(epoch, "this relay is active");
                match Term::begin(&log, &store, &mut lease, asked).await {
                    Ok(term) => {
                        complained = false;
                        term.run(&shutdown).await;
                    }
                    Err(error) => {
                        warn!(%error, "the relay cannot begin");
                        pause(&shutdown).await;
                    }
                }
            }
            Ok(None) => pause(&shutdown).await,
            Err(error) => {
                if std::mem::replace(&mut complained, true) {
                    debug!(%error, "the relay's lease cannot be asked for");
                } else {
                    warn!(%error, "the relay's lease cannot be asked for");
                }
                pause(&shutdown).await;
            }
        }
    }
    if let Err(error) = lease.release().await {
        debug!(%error, "the relay's lease was not given back and expires by itself");
    }
    Ok(())
}

async fn pause(shutdown: &CancellationToken) {
    tokio::select! {
        () = sleep(STANDBY) => {}
        () = shutdown.cancelled() => {}
    }
}
