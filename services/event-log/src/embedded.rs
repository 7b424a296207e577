//! The log within one process: the store's own tail, and the chunks of open messages in memory.

mod consumer;
mod delivery;
mod tail;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::SubsecRound;
use event_store::{Checkpoints, EventStore, TailRow};
use events::{ConversationId, MessageId, Sequence};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

pub(crate) use self::consumer::Consumer;
use self::delivery::Delivery;
pub(crate) use self::tail::Tail;
use crate::follow::{Follow, position};
use crate::reader::{ConsumerOf, TailOf};
use crate::{Chunk, DeadLetter, NewChunk, Result};

/// Rows that one look at the tail brings.
const BATCH: usize = 500;
/// All events are appended in this process, which wakes the followers: the pause is for what nobody announced.
const IDLE: Duration = Duration::from_millis(250);

/// The log within one process. It follows the store's tail; an open message's chunks stay in memory until it ends, and nobody
/// else keeps them: after a crash the run's next epoch makes them anew.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    store: EventStore,
    delivery: Arc<Mutex<Delivery>>,
    pump: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Embedded {
    pub(crate) async fn start(store: EventStore) -> Result<Self> {
        let end = store.tail_end().await?;
        let delivery = Arc::new(Mutex::new(Delivery::new(end)));
        let pump = tokio::spawn(pump(Follow::new(store.clone(), end, IDLE), Arc::clone(&delivery)));
        Ok(Self(Arc::new(Inner { store, delivery, pump })))
    }

    pub(crate) fn consumer(&self, group: &str, checkpoints: Checkpoints) -> crate::Consumer {
        let consumer = Consumer::new(self.0.store.clone(), group, checkpoints);
        crate::Consumer(ConsumerOf::Embedded(Box::new(consumer)))
    }

    pub(crate) fn read(&self, from_beginning: bool) -> crate::Tail {
        let delivery = Arc::clone(&self.0.delivery);
        let tail = if from_beginning {
            Tail::from_beginning(self.0.store.clone(), delivery)
        } else {
            Tail::from_now(delivery)
        };
        crate::Tail(TailOf::Embedded(tail))
    }

    pub(crate) fn publish_chunk(&self, chunk: NewChunk) -> Sequence {
        let NewChunk { conversation, tenant, at, data, .. } = chunk;
        // On Kafka a time has three decimals, too.
        let at = at.trunc_subsecs(3);
        lock(&self.0.delivery).append(Chunk { conversation, tenant, at, data })
    }

    pub(crate) fn chunks_of(&self, conversation: ConversationId, message: MessageId) -> Vec<Arc<Chunk>> {
        lock(&self.0.delivery).chunks_of(conversation, message)
    }

    #[allow(clippy::unused_self, reason = "the same call as on Kafka")]
    pub(crate) fn dead_letter(&self, letter: &DeadLetter) {
        metrics::counter!("loquent_log_dead_letters_total", "consumer" => letter.consumer.clone()).increment(1);
        warn!(
            consumer = letter.consumer,
            position = letter.offset,
            reason = letter.reason,
            "an event of the store could not be read and was passed over"
        );
    }
}

/// Delivers the store's tail to all readers of this process, for ever. What cannot be read now is read again later.
async fn pump(mut follow: Follow, delivery: Arc<Mutex<Delivery>>) {
    let mut broken = false;
    loop {
        match follow.next(BATCH).await {
            Ok(rows) => {
                if std::mem::take(&mut broken) {
                    info!("the store's tail is readable again");
                }
                let mut delivery = lock(&delivery);
                for row in rows {
                    deliver(&mut delivery, row);
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut broken, true) {
                    error!(%error, "the store's tail cannot be read");
                }
                tokio::time::sleep(IDLE).await;
            }
        }
    }
}

fn deliver(delivery: &mut Delivery, row: TailRow) {
    let position = position(&row);
    match row {
        TailRow::Event(tailed) => delivery.deliver(position, tailed.record),
        TailRow::Undecodable(undecodable) => {
            metrics::counter!("loquent_log_undecodable_total", "consumer" => "tail").increment(1);
            warn!(%position, reason = undecodable.reason, "an event of the store cannot be read");
            delivery.pass(position);
        }
    }
}

/// The lock is held for a few pushes and never while waiting; a panic in between leaves nothing half done that matters.
fn lock(delivery: &Mutex<Delivery>) -> MutexGuard<'_, Delivery> {
    delivery.lock().unwrap_or_else(PoisonError::into_inner)
}
