//! The way of an answer's pieces to the log: at once while that is idle, merged while it is busy.
//!
//! Publishing only puts a chunk into the log's local queue, so the loop that reads the model calls it itself and never waits for a
//! broker: where the queue is full, the piece stays in the [`Answer`] and grows until there is room.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep_until};

use event_log::{EventLog, NewChunk};
use events::{
    Actor, ChunkKind, ChunkProduced, ChunkSpan, ChunkTable, ConversationId, EventId, Field, MessageId, RunId, Sequence,
    TurnId,
};
use keyring::ContentKey;

use crate::answer::Answer;
use crate::heard::Listener;

/// Between two chunks of a model that is faster than anybody reads.
const BUSY: Duration = Duration::from_millis(5);
/// Between two chunks of a very long answer, and after a try that failed.
const SLOW: Duration = Duration::from_millis(50);
/// Between two chunks of an answer without end.
const SLOWEST: Duration = Duration::from_millis(500);
/// Chunks after which an answer is very long, or without end: the table of all chunks has to fit into its last record.
const MANY: usize = 4096;
const TOO_MANY: usize = 12 << 10;
/// How long the end of an answer waits for a full queue. What is left then reaches readers with the last record.
const FAREWELL: Duration = Duration::from_secs(1);

/// An attempt that the store accepted, and under which key it is sealed.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) tenant: String,
    pub(crate) conversation: ConversationId,
    pub(crate) message: MessageId,
    pub(crate) run: RunId,
    pub(crate) turn: TurnId,
    pub(crate) agent: String,
    pub(crate) epoch: u32,
    pub(crate) key: ContentKey,
    pub(crate) correlation: EventId,
    /// The `AgentStarted`.
    pub(crate) cause: EventId,
    pub(crate) started: Sequence,
    pub(crate) started_at: DateTime<Utc>,
}

impl Attempt {
    /// A field of the message that the attempt writes.
    pub(crate) fn field(&self, name: &'static str) -> Field<'_> {
        Field::new(&self.tenant, self.conversation, self.message, name)
    }
}

/// Publishes the chunks of one attempt.
pub(crate) struct Chunks {
    log: EventLog,
    attempt: Arc<Attempt>,
    listener: Listener,
    spans: Vec<ChunkSpan>,
    begun: Instant,
    lead: u64,
    next: Instant,
}

impl Chunks {
    /// Goes on after the chunks that the attempt has published already.
    pub(crate) fn new(log: EventLog, attempt: Arc<Attempt>, listener: Listener, before: ChunkTable) -> Self {
        // From here on our own steady clock counts; only this first difference mixes clocks.
        let lead = (Utc::now() - attempt.started_at).num_milliseconds().max(0).unsigned_abs();
        let now = Instant::now();
        Self { log, attempt, listener, spans: before.0, begun: now, lead, next: now }
    }

    /// An event of this run: chunks come after it.
    pub(crate) fn saw(&self, sequence: Sequence) {
        self.listener.saw(sequence);
    }

    /// Returns when somebody stops the turn.
    pub(crate) async fn stopped(&self) {
        self.listener.stopped(self.attempt.turn).await;
    }

    /// When something that waits may go; never returns where nothing waits.
    pub(crate) async fn ready(&self, answer: &Answer) {
        match answer.waits() {
            true => sleep_until(self.next).await,
            false => std::future::pending().await,
        }
    }

    /// Publishes what waits, if it is time to.
    pub(crate) async fn publish(&mut self, answer: &mut Answer) {
        if Instant::now() < self.next {
            return;
        }
        let mut pause = match self.spans.len() {
            ..MANY => BUSY,
            MANY..TOO_MANY => SLOW,
            TOO_MANY.. => SLOWEST,
        };
        while let Some((kind, delta)) = answer.next_chunk() {
            let bytes = delta.len();
            if !self.publish_one(kind, delta).await {
                pause = SLOW;
                break;
            }
            answer.published(bytes);
        }
        self.next = Instant::now() + pause;
    }

    /// Publishes the rest and answers the table of all chunks. What finds no room is a chunk nevertheless: readers get it cut from
    /// the message's last record.
    pub(crate) async fn finish(&mut self, answer: &mut Answer) -> ChunkTable {
        let deadline = Instant::now() + FAREWELL;
        while answer.waits() && Instant::now() < deadline {
            sleep_until(self.next.min(deadline)).await;
            self.publish(answer).await;
        }
        while let Some((kind, delta)) = answer.next_chunk() {
            let bytes = delta.len();
            let delay_ms = self.delay_ms();
            self.note(kind, bytes, delay_ms, self.after());
            answer.published(bytes);
        }
        ChunkTable(std::mem::take(&mut self.spans))
    }

    async fn publish_one(&mut self, kind: ChunkKind, delta: &str) -> bool {
        let attempt = &self.attempt;
        let (index, delay_ms) = (self.spans.len() as u32, self.delay_ms());
        let field = attempt.field("delta").of_chunk(attempt.epoch, index);
        let data = ChunkProduced {
            message: attempt.message,
            run: attempt.run,
            epoch: attempt.epoch,
            index,
            kind,
            delta: attempt.key.seal(&field, delta),
            after: self.after(),
            delay_ms,
        };
        let chunk = NewChunk {
            conversation: attempt.conversation,
            tenant: attempt.tenant.clone(),
            actor: Actor::Agent(attempt.agent.clone()),
            correlation: attempt.correlation,
            causation: attempt.cause,
            at: attempt.started_at + TimeDelta::milliseconds(delay_ms as i64),
            data,
        };
        match self.log.publish_chunk(chunk).await {
            Ok(after) => {
                if index == 0 {
                    metrics::histogram!("loquent_run_first_chunk_seconds").record(delay_ms as f64 / 1000.0);
                }
                metrics::counter!("loquent_chunks_published_total").increment(1);
                self.note(kind, delta.len(), delay_ms, after);
                true
            }
            Err(error) => {
                metrics::counter!("loquent_chunks_delayed_total").increment(1);
                tracing::debug!(%error, run = %self.attempt.run, "a chunk has to wait");
                false
            }
        }
    }

    fn note(&mut self, kind: ChunkKind, bytes: usize, delay_ms: u64, after: Sequence) {
        let after = after.max(self.last_after());
        self.spans.push(ChunkSpan { kind, bytes: bytes as u32, delay_ms, after });
    }

    fn after(&self) -> Sequence {
        self.last_after().max(self.listener.latest())
    }

    fn last_after(&self) -> Sequence {
        self.spans.last().map_or(self.attempt.started, |span| span.after)
    }

    fn delay_ms(&self) -> u64 {
        let last = self.spans.last().map_or(0, |span| span.delay_ms);
        last.max(self.lead + self.begun.elapsed().as_millis() as u64)
    }
}
