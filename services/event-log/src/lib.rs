//! The order that everyone reads: every event of the store and the chunks of answers in the making, in the process itself
//! ([`Embedded`]) or on Kafka ([`Kafka`]).
//!
//! Nothing is decided here and nothing is made durable but Kafka's own copy: the store is the truth, the [`relay`] carries it
//! over. Delivery is at least once and in order within a conversation; readers recognise a repeated event by its sequence.

mod embedded;
mod error;
mod follow;
mod item;
mod kafka;
mod reader;
pub mod relay;
mod settings;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_store::{Checkpoints, EventStore};
use events::{ConversationId, MessageId, Sequence};
use futures::future::BoxFuture;

pub use embedded::Embedded;
pub use error::{Error, Result};
pub use item::{Batch, Chunk, DeadLetter, Item, NewChunk, Received, TopicDescription};
pub use kafka::Kafka;
pub use reader::{Consumer, Tail};
pub use settings::Settings;

/// The log. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub enum EventLog {
    /// In this process: follows the store's own tail.
    Embedded(Embedded),
    /// On a broker that speaks Kafka's protocol.
    Kafka(Kafka),
}

impl EventLog {
    /// Opens the log that `settings.url` names. A broker that is down is no error: it is tried again in the background.
    ///
    /// # Errors
    /// The address or one of the extra settings is not understood, or the store does not answer.
    pub fn connect(settings: Settings, store: EventStore) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            match settings.brokers()? {
                None => Ok(Self::Embedded(Embedded::start(store).await?)),
                Some(brokers) => Ok(Self::Kafka(Kafka::connect(settings, &brokers).await?)),
            }
        })
    }

    /// Creates the topics that are missing and leaves the others as they are.
    ///
    /// # Errors
    /// [`Error::TopicsMissing`] where they are missing and may not be created; the broker does not answer.
    pub async fn ensure_topics(&self) -> Result<()> {
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Kafka(log) => log.ensure_topics().await,
        }
    }

    /// The topics as the broker has them; none on the embedded log.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn describe_topics(&self) -> Result<Vec<TopicDescription>> {
        match self {
            Self::Embedded(_) => Ok(Vec::new()),
            Self::Kafka(log) => log.describe_topics().await,
        }
    }

    /// Joins the group that shares the conversations' partitions, each from its checkpoint in the database.
    ///
    /// # Errors
    /// The client cannot be made.
    pub async fn consumer(&self, group: &str, checkpoints: Checkpoints) -> Result<Consumer> {
        match self {
            Self::Embedded(log) => Ok(log.consumer(group, checkpoints)),
            Self::Kafka(log) => log.consumer(group, checkpoints),
        }
    }

    /// Everything that is published from now on, events and chunks. It stands when this answers: nothing that is published
    /// afterwards is missed. While the broker is down this waits for it.
    ///
    /// # Errors
    /// The client cannot be made.
    pub async fn tail(&self) -> Result<Tail> {
        self.read(false).await
    }

    /// As [`tail`](Self::tail), for a reader of events alone. Only the embedded log, where they cost nothing, has chunks among
    /// them.
    ///
    /// # Errors
    /// The client cannot be made.
    pub async fn tail_events(&self) -> Result<Tail> {
        match self {
            Self::Embedded(log) => Ok(log.read(false)),
            Self::Kafka(log) => log.tail_events().await,
        }
    }

    /// As [`tail`](Self::tail), optionally with everything that the log still has before that.
    ///
    /// # Errors
    /// The client cannot be made.
    pub async fn read(&self, from_beginning: bool) -> Result<Tail> {
        match self {
            Self::Embedded(log) => Ok(log.read(from_beginning)),
            Self::Kafka(log) => log.read(from_beginning).await,
        }
    }

    /// Hands a chunk to the log and answers the `after` that it carries there. Chunks of one message stay in order.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the local queue is full: wait a little and try again.
    pub async fn publish_chunk(&self, chunk: NewChunk) -> Result<Sequence> {
        match self {
            Self::Embedded(log) => Ok(log.publish_chunk(chunk)),
            Self::Kafka(log) => log.publish_chunk(&chunk),
        }
    }

    /// The chunks of a message that are on the log by now, of its highest epoch, in order; `since` is the time of its
    /// `AgentStarted`. The embedded log has those of open messages only.
    ///
    /// # Errors
    /// The broker does not answer within 5 s.
    pub fn chunks_of(
        &self,
        conversation: ConversationId,
        message: MessageId,
        since: DateTime<Utc>,
    ) -> BoxFuture<'_, Result<Vec<Arc<Chunk>>>> {
        Box::pin(async move {
            match self {
                Self::Embedded(log) => Ok(log.chunks_of(conversation, message)),
                Self::Kafka(log) => log.chunks_of(conversation, message, since).await,
            }
        })
    }

    /// Puts a record that could not be read aside, and waits until that is durable. The embedded log has no place for it and
    /// says so in its own log: the record stays in the store.
    ///
    /// # Errors
    /// The broker does not acknowledge it.
    pub async fn dead_letter(&self, letter: DeadLetter) -> Result<()> {
        match self {
            Self::Embedded(log) => log.dead_letter(&letter),
            Self::Kafka(log) => log.dead_letter(letter).await?,
        }
        Ok(())
    }

    /// Whether the broker answered lately.
    #[allow(clippy::unused_async, reason = "callers await every check of health alike")]
    pub async fn healthy(&self) -> bool {
        match self {
            Self::Embedded(_) => true,
            Self::Kafka(log) => log.healthy(),
        }
    }
}
