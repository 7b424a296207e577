//! From the log to the work table: one transaction for the work and the checkpoint.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use event_log::{Batch, Consumer, EventLog, Received};
use event_store::Checkpoints;
use events::{ConversationEvent, ConversationId, Decoded, Kind, Record};

use crate::Result;
use crate::budget::Book;
use crate::work::{Task, Work, WorkTable};

/// The name of the group, and of its checkpoints.
const GROUP: &str = "agents";
/// Before another try, after one failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads the log until told to stop, and calls workers when it found something to do.
pub(crate) async fn run(log: EventLog, table: WorkTable, book: Book, wake: &Notify, shutdown: &CancellationToken) {
    let checkpoints = Checkpoints::new(table.database().clone(), GROUP);
    while !shutdown.is_cancelled() {
        let ended = shutdown.run_until_cancelled(read(&log, &table, &book, &checkpoints, wake)).await;
        let Some(Err(error)) = ended else { continue };
        tracing::warn!(%error, "reading the log for work failed; trying again");
        shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}

/// Until a checkpoint is not where this consumer left it: then another one has to be made.
async fn read(log: &EventLog, table: &WorkTable, book: &Book, checkpoints: &Checkpoints, wake: &Notify) -> Result<()> {
    let mut consumer: Consumer = log.consumer(GROUP, checkpoints.clone()).await?;
    loop {
        let batch = consumer.next().await?;
        if !patiently_apply(table, book, checkpoints, &batch).await? {
            tracing::info!("another consumer has moved a checkpoint");
            return Ok(());
        }
        consumer.commit(&batch);
        wake.notify_one();
    }
}

/// Waits for a store that is away: leaving the group over that would cost everybody a rebalance.
async fn patiently_apply(table: &WorkTable, book: &Book, checkpoints: &Checkpoints, batch: &Batch) -> Result<bool> {
    loop {
        match apply(table, book, checkpoints, batch).await {
            Err(error) if error.kind() == Kind::Unavailable => {
                tracing::warn!(%error, "work could not be noted; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

/// `false`: the checkpoint was not where the batch begins, and nothing was written.
async fn apply(table: &WorkTable, book: &Book, checkpoints: &Checkpoints, batch: &Batch) -> Result<bool> {
    // Most are settled; what its worker could not settle, because it died or the store was away, is settled before the checkpoint
    // moves. The next turn of a conversation begins after that.
    book.settle(batch.records.iter().filter_map(record)).await?;
    let work: Vec<Work> = calls(&batch.records).into_values().collect();
    let mut tx = table.database().begin().await?;
    table.add(&mut tx, &work).await?;
    if !checkpoints.advance_all(&mut tx, &batch.steps).await? {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

fn record(received: &Received) -> Option<&Record> {
    match received {
        Received::Record { record, .. } => Some(record),
        Received::Undecodable(_) => None,
    }
}

/// The conversations of a batch whose turns have to be looked at, each with the last event that calls for it.
fn calls(records: &[Received]) -> HashMap<ConversationId, Work> {
    let mut calls = HashMap::new();
    for received in records {
        match received {
            Received::Record { record, traceparent } if calls_for_a_look(record) => {
                calls.insert(record.subject, work(record, traceparent.clone()));
            }
            Received::Record { .. } => {}
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
    calls
}

/// Whether a turn may have a next step after this event. What a worker appends in the middle of a step is none: that worker
/// goes on by itself, and if it dies, its row is still there.
fn calls_for_a_look(record: &Record) -> bool {
    use ConversationEvent as E;
    let Ok(Decoded::Known(event)) = record.event() else { return false };
    match event {
        E::MessageSent(sent) => sent.turn.is_some(),
        E::TurnStarted(_)
        | E::StopRequested(_)
        | E::AgentCompleted(_)
        | E::AgentFailed(_)
        | E::MessageStopped(_)
        | E::TurnCompleted(_)
        | E::TurnFailed(_)
        | E::TurnStopped(_)
        | E::ToolCallRequested(_)
        | E::ToolCallApproved(_)
        | E::ToolCallRejected(_)
        | E::ToolCallCompleted(_)
        | E::ToolCallFailed(_)
        | E::ToolCallUncertain(_) => true,
        E::ConversationStarted(_)
        | E::ConversationRenamed(_)
        | E::ConversationArchived(_)
        | E::ParticipantAdded(_)
        | E::ParticipantRemoved(_)
        | E::AgentsConfigured(_)
        | E::MessageCompleted(_)
        | E::MessageFailed(_)
        | E::TurnPlanned(_)
        | E::AgentStarted(_)
        | E::ModelCallStarted(_)
        | E::ModelCallEnded(_)
        | E::ToolCallStarted(_) => false,
    }
}

fn work(record: &Record, traceparent: Option<String>) -> Work {
    Work {
        conversation: record.subject,
        task: Task::Turn,
        sequence: record.sequence,
        cause: record.id,
        correlation: record.correlationid,
        traceparent,
        tenant: record.tenant.clone(),
    }
}
