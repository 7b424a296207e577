//! Whether the broker answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::producer::Producer as _;
use tracing::{info, warn};

use super::producer::Producer;
use crate::{Error, Result};

/// How often it is asked, and how long it may take.
const PERIOD: Duration = Duration::from_secs(2);

/// Asks the broker every other second and says once when it goes and once when it comes back.
pub(super) struct Health {
    reachable: Arc<AtomicBool>,
    _stop: std::sync::mpsc::Sender<()>,
}

impl Health {
    /// Asks once before it answers, which also opens the producer's connection.
    pub(super) fn watch(producer: Arc<Producer>, topic: String) -> Result<Self> {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let reachable = Arc::new(AtomicBool::new(true));
        let shared = Arc::clone(&reachable);
        ask(&producer, &topic, &shared);
        let watch = move || {
            while stopped.recv_timeout(PERIOD) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                ask(&producer, &topic, &shared);
            }
        };
        let name = "kafka-health".into();
        thread::Builder::new().name(name).spawn(watch).map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { reachable, _stop: stop })
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::Relaxed)
    }
}

fn ask(producer: &Producer, topic: &str, reachable: &AtomicBool) {
    let answer = producer.client().client().fetch_metadata(Some(topic), PERIOD);
    let was = reachable.swap(answer.is_ok(), Ordering::Relaxed);
    metrics::gauge!("loquent_log_reachable").set(if answer.is_ok() { 1.0 } else { 0.0 });
    match answer {
        Ok(_) if !was => info!("the broker answers again"),
        Err(error) if was => warn!(%error, "the broker does not answer"),
        _ => {}
    }
}
