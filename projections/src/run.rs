//! The live projector: the log into rows, batch by batch.

mod lag;

use std::sync::Arc;
use std::time::Duration;

use database::Database;
use event_log::{Batch, DeadLetter, EventLog, Received};
use event_store::{Checkpoints, EventStore};
use events::{ConversationId, Sequence};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::apply::apply;
use crate::fold::Entry;
use crate::{Error, Result};

/// The group that shares the work, and the name of its checkpoints.
const CONSUMER: &str = "projections";
/// The pauses after failures in a row: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// Follows the log and writes rows, until `shutdown` and then to the end of the batch at hand. Several of these, in any process,
/// share the partitions.
///
/// What fails is tried again for ever, as rows must not miss an event: a database that is down comes back, a gap is healed by
/// [`rebuild`](crate::rebuild()). Failures are logged and counted in `loquent_projection_failures_total`.
///
/// # Errors
/// None today; a failure that trying again cannot heal would be one.
pub fn run(
    database: Database,
    store: EventStore,
    log: EventLog,
    shutdown: CancellationToken,
) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move {
        let checkpoints = Checkpoints::new(database.clone(), CONSUMER);
        let projector = Projector { database, store, log, checkpoints };
        let lag = lag::measure(&projector.database, &projector.store, CONSUMER);
        tokio::select! {
            () = projector.project(&shutdown) => {}
            () = lag => {}
        }
        Ok(())
    })
}

struct Projector {
    database: Database,
    store: EventStore,
    log: EventLog,
    checkpoints: Checkpoints,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Rows and checkpoint are durable.
    Applied,
    /// Somebody else moved the checkpoint: nothing was written.
    Moved,
}

impl Projector {
    async fn project(&self, shutdown: &CancellationToken) {
        let mut patience = Patience::default();
        while !shutdown.is_cancelled() {
            if let Err(error) = self.follow(&mut patience, shutdown).await {
                patience.failed(&error, shutdown).await;
            }
        }
    }

    /// With one consumer, until the shutdown or until somebody else has moved a checkpoint.
    async fn follow(&self, patience: &mut Patience, shutdown: &CancellationToken) -> Result<()> {
        let mut consumer = self.log.consumer(CONSUMER, self.checkpoints.clone()).await?;
        loop {
            let batch = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                batch = consumer.next() => batch?,
            };
            match self.insist(&batch, patience, shutdown).await {
                Some(Outcome::Applied) => consumer.commit(&batch),
                Some(Outcome::Moved) => {
                    info!("another projector has moved a checkpoint; beginning there");
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    /// Tries until the batch is dealt with; `None`: the shutdown came first.
    async fn insist(&self, batch: &Batch, patience: &mut Patience, shutdown: &CancellationToken) -> Option<Outcome> {
        let mut entries = None;
        loop {
            match self.attempt(batch, &mut entries).await {
                Ok(outcome) => {
                    patience.succeeded();
                    return Some(outcome);
                }
                Err(error) => patience.failed(&error, shutdown).await,
            }
            if shutdown.is_cancelled() {
                return None;
            }
        }
    }

    async fn attempt(&self, batch: &Batch, entries: &mut Option<Vec<Entry>>) -> Result<Outcome> {
        let entries = match entries {
            Some(entries) => entries,
            None => entries.insert(self.entries(batch).await?),
        };
        write(&self.database, &self.checkpoints, batch, entries).await
    }

    /// The batch's events. What cannot be read is put aside first, so that it is not lost when the checkpoint moves.
    async fn entries(&self, batch: &Batch) -> Result<Vec<Entry>> {
        let mut entries = Vec::with_capacity(batch.records.len());
        for received in &batch.records {
            match received {
                Received::Record { record, .. } => entries.push(Entry::of(Arc::clone(record))),
                Received::Undecodable(letter) => {
                    self.log.dead_letter(letter.clone()).await?;
                    metrics::counter!("loquent_projection_dead_letters_total", "consumer" => CONSUMER).increment(1);
                    entries.extend(self.in_its_place(letter).await?);
                }
            }
        }
        Ok(entries)
    }

    /// The store's event that an unreadable record stands for, if it is one of the store's at all: the next event must not find
    /// a gap there.
    async fn in_its_place(&self, letter: &DeadLetter) -> Result<Option<Entry>> {
        let Some((conversation, sequence)) = event_of(letter) else { return Ok(None) };
        let rows = self.store.load_range(conversation, conversation, sequence.saturating_sub(1), 1).await?;
        let in_place = match rows.into_iter().next() {
            Some(Ok(record)) if record.sequence == sequence => Some(Entry::of(Arc::new(record))),
            Some(Err(event_store::Error::Unreadable { sequence: unreadable, .. })) if unreadable == sequence => {
                Some(Entry::Unreadable(conversation, sequence))
            }
            Some(Ok(_) | Err(_)) | None => None,
        };
        warn!(%conversation, sequence, reason = letter.reason, "an event cannot be read and was put aside");
        Ok(in_place)
    }
}

/// One transaction: whoever moves the checkpoint writes the rows.
async fn write(database: &Database, checkpoints: &Checkpoints, batch: &Batch, entries: &[Entry]) -> Result<Outcome> {
    let mut tx = database.begin().await?;
    // First: it makes every other projector of these partitions wait here, and then give up.
    if !checkpoints.advance_all(&mut tx, &batch.steps).await? {
        return Ok(Outcome::Moved);
    }
    let applied = apply(&mut tx, entries).await?;
    tx.commit().await?;
    metrics::counter!("loquent_projection_events_total", "consumer" => CONSUMER).increment(applied);
    Ok(Outcome::Applied)
}

/// Which event of ours an unreadable record claims to be.
fn event_of(letter: &DeadLetter) -> Option<(ConversationId, Sequence)> {
    let key = std::str::from_utf8(letter.key.as_deref()?).ok()?;
    let (_, sequence) = letter.headers.iter().find(|(name, _)| name == "ce_sequence")?;
    let sequence = std::str::from_utf8(sequence.as_deref()?).ok()?;
    Some((key.parse().ok()?, sequence.parse().ok()?))
}

/// How long to wait after failures in a row.
struct Patience {
    pause: Duration,
    failing: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self { pause: PAUSES[0], failing: false }
    }
}

impl Patience {
    async fn failed(&mut self, error: &Error, shutdown: &CancellationToken) {
        metrics::counter!("loquent_projection_failures_total", "consumer" => CONSUMER).increment(1);
        let stopped = if matches!(error, Error::Gap { .. }) { 1.0 } else { 0.0 };
        metrics::gauge!("loquent_projection_stopped", "consumer" => CONSUMER).set(stopped);
        error!(%error, "rows cannot be written; trying again");
        self.failing = true;
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(self.pause) => {}
        }
        self.pause = PAUSES[1].min(self.pause * 2);
    }

    fn succeeded(&mut self) {
        if self.failing {
            info!("rows are written again");
            metrics::gauge!("loquent_projection_stopped", "consumer" => CONSUMER).set(0.0);
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
