//! The log on a broker that speaks Kafka's protocol.

mod client;
mod fill;
mod group;
mod health;
mod partition;
pub(crate) mod producer;
mod tail;
mod topics;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use event_store::{Checkpoints, Tailed};
use events::{ConversationId, MessageId, Sequence};
use rdkafka::error::KafkaResult;
use tokio::sync::oneshot;
use tracing::warn;

use self::client::Clients;
use self::fill::Fills;
pub(crate) use self::group::Consumer;
use self::health::Health;
use self::producer::{Parcel, Producer, Receipt, is_full, is_too_large};
pub(crate) use self::tail::Tail;
use self::wire::Outgoing;
use crate::reader::{ConsumerOf, TailOf};
use crate::{Chunk, DeadLetter, Error, NewChunk, Result, Settings, TopicDescription};

/// How long a dead letter may take to be acknowledged.
const LETTER_PATIENCE: Duration = Duration::from_secs(30);

/// How long a process that ends waits for the broker to take its last chunks.
const FAREWELL: Duration = Duration::from_millis(500);

/// The log on a broker that speaks Kafka's protocol.
#[derive(Clone)]
pub struct Kafka(Arc<Inner>);

struct Inner {
    clients: Clients,
    conversations: String,
    chunks: String,
    dead_letters: String,
    /// The relay's: keeps a record until the broker has it, however long that takes.
    durable: Arc<Producer>,
    /// The chunks' and the dead letters': gives a record up after some minutes.
    passing: Producer,
    fills: Fills,
    health: Health,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The last chunks of a process that ends in peace.
        self.passing.flush(FAREWELL);
    }
}

impl Kafka {
    pub(crate) async fn connect(settings: Settings, brokers: &str) -> Result<Self> {
        let clients = Clients::new(settings, brokers);
        blocking(move || Self::open(clients)).await?
    }

    fn open(clients: Clients) -> Result<Self> {
        let settings = clients.settings();
        let (conversations, chunks) = (settings.conversations(), settings.chunks());
        let dead_letters = settings.dead_letters();
        let durable = Arc::new(Producer::new(clients.producer(&[("message.timeout.ms", "0")]))?);
        // While the broker is down these bound the memory that chunks may take.
        let bounds = [("queue.buffering.max.messages", "10000"), ("queue.buffering.max.kbytes", "8192")];
        let passing = Producer::new(clients.producer(&bounds))?;
        let fills = Fills::start(&clients, chunks.clone())?;
        let health = Health::watch(Arc::clone(&durable), conversations.clone())?;
        passing.warm_up(&chunks);
        Ok(Self(Arc::new(Inner { clients, conversations, chunks, dead_letters, durable, passing, fills, health })))
    }

    pub(crate) async fn ensure_topics(&self) -> Result<()> {
        topics::ensure(&self.0.clients).await
    }

    pub(crate) async fn describe_topics(&self) -> Result<Vec<TopicDescription>> {
        topics::describe(&self.0.clients).await
    }

    pub(crate) fn consumer(&self, group: &str, checkpoints: Checkpoints) -> Result<crate::Consumer> {
        let consumer = Consumer::join(&self.0.clients, &self.0.conversations, group, checkpoints)?;
        Ok(crate::Consumer(ConsumerOf::Kafka(consumer)))
    }

    pub(crate) async fn read(&self, from_beginning: bool) -> Result<crate::Tail> {
        self.open_tail(Some(self.0.chunks.clone()), from_beginning).await
    }

    pub(crate) async fn tail_events(&self) -> Result<crate::Tail> {
        self.open_tail(None, false).await
    }

    async fn open_tail(&self, chunks: Option<String>, from_beginning: bool) -> Result<crate::Tail> {
        let topics = tail::Topics { conversations: self.0.conversations.clone(), chunks };
        let tail = Tail::open(&self.0.clients, topics, from_beginning).await?;
        Ok(crate::Tail(TailOf::Kafka(tail)))
    }

    pub(crate) fn publish_chunk(&self, chunk: &NewChunk) -> Result<Sequence> {
        let outgoing = Outgoing::chunk(chunk);
        let sent = self.0.passing.send(Parcel {
            topic: &self.0.chunks,
            key: Some(outgoing.key.as_bytes()),
            value: Some(&outgoing.value),
            headers: outgoing.headers,
            timestamp: Some(chunk.at.timestamp_millis()),
            receipt: Receipt::Chunk,
        });
        match sent {
            Ok(()) => Ok(chunk.data.after),
            Err(error) if is_full(&error) => Err(Error::Unavailable("too many chunks wait for the broker".into())),
            Err(error) => {
                self.0.passing.mend();
                Err(error.into())
            }
        }
    }

    pub(crate) async fn chunks_of(
        &self,
        conversation: ConversationId,
        message: MessageId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Arc<Chunk>>> {
        self.0.fills.chunks_of(conversation, message, since).await
    }

    pub(crate) async fn dead_letter(&self, letter: DeadLetter) -> Result<()> {
        let result = match self.put_aside(&letter, letter.value.as_deref()).await? {
            Err(error) if is_too_large(&error) => {
                warn!(
                    topic = letter.topic,
                    offset = letter.offset,
                    "a dead letter is too large and goes without its value"
                );
                self.put_aside(&letter, None).await?
            }
            result => result,
        };
        result?;
        metrics::counter!("loquent_log_dead_letters_total", "consumer" => letter.consumer.clone()).increment(1);
        warn!(
            consumer = letter.consumer,
            topic = letter.topic,
            partition = letter.partition,
            offset = letter.offset,
            reason = letter.reason,
            "a record could not be read and was put aside"
        );
        Ok(())
    }

    async fn put_aside(&self, letter: &DeadLetter, value: Option<&[u8]>) -> Result<KafkaResult<()>> {
        let (receipt, delivered) = oneshot::channel();
        let sent = self.send_letter(&self.0.passing, letter, value, Receipt::Letter(receipt));
        if sent.is_err() {
            self.0.passing.mend();
            return Ok(sent);
        }
        match tokio::time::timeout(LETTER_PATIENCE, delivered).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) | Err(_) => Err(Error::Unavailable("a dead letter was not acknowledged".into())),
        }
    }

    fn send_letter(
        &self,
        producer: &Producer,
        letter: &DeadLetter,
        value: Option<&[u8]>,
        receipt: Receipt,
    ) -> KafkaResult<()> {
        producer.send(Parcel {
            topic: &self.0.dead_letters,
            key: letter.key.as_deref(),
            value,
            headers: wire::dead_letter(letter),
            timestamp: None,
            receipt,
        })
    }

    pub(crate) fn healthy(&self) -> bool {
        self.0.health.is_reachable()
    }
}

/// What the relay needs.
impl Kafka {
    pub(crate) fn outgoing(tailed: &Tailed) -> Outgoing {
        Outgoing::event(&tailed.record, tailed.traceparent.as_deref())
    }

    pub(crate) fn publish(&self, outgoing: Outgoing, receipt: Receipt) -> KafkaResult<()> {
        self.0.durable.send(Parcel {
            topic: &self.0.conversations,
            key: Some(outgoing.key.as_bytes()),
            value: Some(&outgoing.value),
            headers: outgoing.headers,
            timestamp: None,
            receipt,
        })
    }

    /// Puts aside what the relay cannot carry, in the relay's own order.
    pub(crate) fn publish_letter(&self, letter: &DeadLetter, receipt: Receipt) -> KafkaResult<()> {
        self.send_letter(&self.0.durable, letter, letter.value.as_deref(), receipt)
    }

    pub(crate) fn durable(&self) -> &Producer {
        &self.0.durable
    }
}

/// Runs what waits without async.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)
}
