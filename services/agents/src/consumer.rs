//! From the log to the work table: one transaction for the work and the checkpoint.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use event_log::{Batch, Consumer, EventLog, Received};
use event_store::Checkpoints;
use events::{ConversationEvent, Decoded, Kind, Record};

use crate::Result;
use crate::work::{Key, Task, Work, WorkTable};

/// The name of the group, and of its checkpoints.
const GROUP: &str = "agents";
/// Before another try, after one failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads the log until told to stop, and calls workers when it found something to do.
pub(crate) async fn run(log: EventLog, table: WorkTable, wake: &Notify, shutdown: &CancellationToken) {
    let checkpoints = Checkpoints::new(table.database().clone(), GROUP);
    while !shutdown.is_cancelled() {
        let ended = shutdown.run_until_cancelled(read(&log, &table, &checkpoints, wake)).await;
        let Some(Err(error)) = ended else { continue };
        tracing::warn!(%error, "reading the log for work failed; trying again");
        shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}

/// Until a checkpoint is not where this consumer left it: then another one has to be made.
async fn read(log: &EventLog, table: &WorkTable, checkpoints: &Checkpoints, wake: &Notify) -> Result<()> {
    let mut consumer: Consumer = log.consumer(GROUP, checkpoints.clone()).await?;
    loop {
        let batch = consumer.next().await?;
        if !patiently_apply(table, checkpoints, &batch).await? {
            tracing::info!("another consumer has moved a checkpoint");
            return Ok(());
        }
        consumer.commit(&batch);
        wake.notify_one();
    }
}

/// Waits for a store that is away: leaving the group over that would cost everybody a rebalance.
async fn patiently_apply(table: &WorkTable, checkpoints: &Checkpoints, batch: &Batch) -> Result<bool> {
    loop {
        match apply(table, checkpoints, batch).await {
            Err(error) if error.kind() == Kind::Unavailable => {
                tracing::warn!(%error, "work could not be noted; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

/// `false`: the checkpoint was not where the batch begins, and nothing was written.
async fn apply(table: &WorkTable, checkpoints: &Checkpoints, batch: &Batch) -> Result<bool> {
    let changes = changes(&batch.records);
    let removed: Vec<Key> = changes.iter().filter(|(_, work)| work.is_none()).map(|(key, _)| *key).collect();
    let added: Vec<Work> = changes.into_values().flatten().collect();
    let mut tx = table.database().begin().await?;
    table.remove(&mut tx, &removed).await?;
    table.add(&mut tx, &added).await?;
    if !checkpoints.advance_all(&mut tx, &batch.steps).await? {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// What a batch comes to: work to add, or `None` for what is done. What came and went within it is nothing but done.
fn changes(records: &[Received]) -> HashMap<Key, Option<Work>> {
    let mut changes = HashMap::new();
    for received in records {
        match received {
            Received::Record { record, traceparent } => {
                for (task, is_open) in tasks(record) {
                    let work = is_open.then(|| work(record, task, traceparent.clone()));
                    changes.insert((record.subject, task), work);
                }
            }
            // Projections put it aside; for agents it is nothing to do.
            Received::Undecodable(letter) => {
                metrics::counter!("loquent_agents_undecodable_total").increment(1);
                tracing::warn!(
                    topic = letter.topic,
                    offset = letter.offset,
                    reason = letter.reason,
                    "passed over a record"
                );
            }
        }
    }
    changes
}

/// The work that an event opens (`true`) or ends.
fn tasks(record: &Record) -> Vec<(Task, bool)> {
    let Ok(Decoded::Known(event)) = record.event() else { return Vec::new() };
    match event {
        ConversationEvent::MessageSent(sent) if sent.awaits_turn => vec![(Task::Turn(sent.message), true)],
        ConversationEvent::TurnStarted(started) => {
            started.message.map(|message| (Task::Turn(message), false)).into_iter().collect()
        }
        ConversationEvent::TurnPlanned(planned) => {
            planned.runs.into_iter().map(|planned| (Task::Run(planned.run), true)).collect()
        }
        ConversationEvent::MessageCompleted(ended) => vec![(Task::Run(ended.run), false)],
        ConversationEvent::MessageFailed(ended) => vec![(Task::Run(ended.run), false)],
        _ => Vec::new(),
    }
}

fn work(record: &Record, task: Task, traceparent: Option<String>) -> Work {
    Work {
        conversation: record.subject,
        task,
        sequence: record.sequence,
        cause: record.id,
        correlation: record.correlationid,
        traceparent,
        tenant: record.tenant.clone(),
    }
}
