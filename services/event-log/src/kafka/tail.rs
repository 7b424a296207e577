//! All partitions of both topics, or of the conversations' alone, read by hand from one moment on.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use super::client::{Clients, Logging, refused};
use super::{topics, wire};
use crate::{Error, Item, Received, Result};

/// Items that are handed over at once, and how many such parcels wait for the reader. Then the broker keeps the rest.
const PARCEL: usize = 500;
const PARCELS: usize = 16;
/// How long the broker may take for one question.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one look at the broker's queue takes at most while nothing comes.
const POLL: Duration = Duration::from_millis(100);
/// What the reader of a tail is called where it counts.
const NAME: &str = "tail";

pub(super) struct Topics {
    pub(super) conversations: String,
    /// `None`: events alone.
    pub(super) chunks: Option<String>,
}

pub(crate) struct Tail {
    parcels: mpsc::Receiver<Vec<Item>>,
}

impl Tail {
    pub(super) async fn open(clients: &Clients, topics: Topics, from_beginning: bool) -> Result<Self> {
        let group = format!("{}{NAME}", clients.settings().topic_prefix);
        let config = clients.consumer(&group, &[], &[]);
        let consumer: BaseConsumer<Logging> = config.create_with_context(Logging).map_err(refused)?;
        let (sender, parcels) = mpsc::channel(PARCELS);
        let (placed, standing) = oneshot::channel();
        let reader = Reader { consumer, topics, parcels: sender };
        let thread = thread::Builder::new().name("kafka-tail".into());
        let run = move || {
            if reader.place(from_beginning) && placed.send(()).is_ok() {
                reader.run();
            }
        };
        thread.spawn(run).map_err(|error| Error::Unavailable(error.to_string()))?;
        // Dropped here, `parcels` ends a thread that still looks for the broker.
        standing.await.map_err(|_| Error::Closed)?;
        Ok(Self { parcels })
    }

    pub(crate) async fn next(&mut self) -> Result<Vec<Item>> {
        self.parcels.recv().await.ok_or(Error::Closed)
    }
}

/// The thread's side.
struct Reader {
    consumer: BaseConsumer<Logging>,
    topics: Topics,
    parcels: mpsc::Sender<Vec<Item>>,
}

impl Reader {
    /// Stands at the end (or the beginning) of every partition, however long the broker takes; false: nobody waits any more.
    fn place(&self, from_beginning: bool) -> bool {
        let mut complained = false;
        while !self.parcels.is_closed() {
            match self.try_place(from_beginning) {
                Ok(()) => {
                    if complained {
                        info!("the tail of the log is being read");
                    }
                    return true;
                }
                Err(error) if complained => debug!(%error, "the tail of the log cannot be read yet"),
                Err(error) => {
                    complained = true;
                    warn!(%error, "the tail of the log cannot be read yet");
                }
            }
            // Also serves the client's own queue.
            let _ = self.consumer.poll(POLL);
        }
        false
    }

    fn try_place(&self, from_beginning: bool) -> Result<()> {
        let mut places = TopicPartitionList::new();
        for topic in std::iter::once(&self.topics.conversations).chain(&self.topics.chunks) {
            let metadata = self.consumer.fetch_metadata(Some(topic), PATIENCE)?;
            for partition in 0..topics::partitions(&metadata, topic)? {
                places.add_partition_offset(topic, partition, Offset::End)?;
            }
        }
        let places = if from_beginning {
            places.set_all_offsets(Offset::Beginning)?;
            places
        } else {
            ends(&self.consumer, places, PATIENCE)?
        };
        Ok(self.consumer.assign(&places)?)
    }

    fn run(self) {
        while !self.parcels.is_closed() {
            let mut items = Vec::new();
            let mut wait = POLL;
            while items.len() < PARCEL {
                match self.consumer.poll(wait) {
                    Some(Ok(message)) => items.extend(self.item(&message)),
                    Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                        warn!(%code, "the tail of the log has failed for good");
                        return;
                    }
                    // The client reconnects by itself and goes on where it was.
                    Some(Err(error)) => debug!(%error, "kafka tail"),
                    None => break,
                }
                wait = Duration::ZERO;
            }
            if !items.is_empty() && self.parcels.blocking_send(items).is_err() {
                return;
            }
        }
    }

    fn item(&self, message: &BorrowedMessage<'_>) -> Option<Item> {
        let reason = if message.topic() == self.topics.conversations {
            match wire::received(message, NAME) {
                Received::Record { record, .. } => return Some(Item::Event(record)),
                Received::Undecodable(letter) => letter.reason,
            }
        } else {
            match wire::chunk(message) {
                Ok(chunk) => return chunk.map(|chunk| Item::Chunk(Arc::new(chunk))),
                Err(reason) => reason,
            }
        };
        metrics::counter!("loquent_log_undecodable_total", "consumer" => NAME).increment(1);
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        warn!(topic, partition, offset, reason, "a record on the log cannot be read");
        None
    }
}

/// The ends of all listed partitions, by one question.
pub(super) fn ends(
    consumer: &BaseConsumer<Logging>,
    mut partitions: TopicPartitionList,
    patience: Duration,
) -> Result<TopicPartitionList> {
    // Asked for the time "latest", the broker answers with the offset of the next record.
    partitions.set_all_offsets(Offset::End)?;
    let ends = consumer.offsets_for_times(partitions, patience)?;
    for element in ends.elements() {
        element.error()?;
        if !matches!(element.offset(), Offset::Offset(_)) {
            return Err(Error::Unavailable("the broker does not tell the end of a partition".into()));
        }
    }
    Ok(ends)
}
