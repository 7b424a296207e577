//! Sending, with a receipt for every record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig};
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error};

use super::client::{Logging, refused};
use crate::Result;

/// Whom to tell what became of a record.
pub(crate) enum Receipt {
    /// Nobody: chunks are counted.
    Chunk,
    /// The relay, by the record's number in its window.
    Relay(u64, mpsc::UnboundedSender<Delivered>),
    /// Whoever waits.
    Letter(oneshot::Sender<KafkaResult<()>>),
}

/// What became of one of the relay's records.
pub(crate) struct Delivered {
    pub(crate) number: u64,
    pub(crate) result: KafkaResult<()>,
}

/// Something to send.
pub(crate) struct Parcel<'a> {
    pub(crate) topic: &'a str,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: OwnedHeaders,
    /// Milliseconds since 1970; `None`: now.
    pub(crate) timestamp: Option<i64>,
    pub(crate) receipt: Receipt,
}

type Client = BaseProducer<Receipts>;

/// Between two looks at a client's receipts. The library's own thread for that is woken by every single one, and spins when there are
/// none.
const RECEIPTS: Duration = Duration::from_millis(10);

/// A producer that is replaced when it has failed for good.
pub(crate) struct Producer {
    config: ClientConfig,
    current: RwLock<Arc<Client>>,
}

impl Producer {
    pub(super) fn new(config: ClientConfig) -> Result<Self> {
        let current = RwLock::new(create(&config).map_err(refused)?);
        Ok(Self { config, current })
    }

    /// Hands a record to the client library; what becomes of it is told by its receipt.
    pub(crate) fn send(&self, parcel: Parcel<'_>) -> KafkaResult<()> {
        let Parcel { topic, key, value, headers, timestamp, receipt } = parcel;
        let record = BaseRecord {
            topic,
            partition: None,
            payload: value,
            key,
            timestamp,
            headers: Some(headers),
            delivery_opaque: Box::new(receipt),
        };
        self.client().send(record).map_err(|(error, _)| error)
    }

    /// Forgets all that is not acknowledged. No more receipts matter after this.
    pub(crate) fn forget(&self) {
        self.client().purge(PurgeConfig::default().queue().inflight().non_blocking());
    }

    /// Gives what is queued a while to leave.
    pub(super) fn flush(&self, limit: Duration) {
        if let Err(error) = self.client().flush(limit) {
            debug!(%error, "records were left in a producer's queue");
        }
    }

    /// Learns who leads the topic's partitions before the first record has to wait for that.
    pub(super) fn warm_up(&self, topic: &str) {
        if let Err(error) = self.client().client().fetch_metadata(Some(topic), Duration::from_secs(2)) {
            debug!(%error, "a producer is not warm yet");
        }
    }

    pub(super) fn client(&self) -> Arc<Client> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new client in the place of one that will never send again.
    pub(crate) fn mend(&self) {
        let Some((_, reason)) = self.client().client().fatal_error() else { return };
        error!(reason, "a producer has failed for good and is replaced");
        match create(&self.config) {
            Ok(client) => *self.current.write().unwrap_or_else(PoisonError::into_inner) = client,
            Err(error) => error!(%error, "a producer cannot be replaced"),
        }
    }
}

/// A client, and a thread that serves its receipts as long as it is there.
fn create(config: &ClientConfig) -> KafkaResult<Arc<Client>> {
    let client: Arc<Client> = Arc::new(config.create_with_context(Receipts::default())?);
    let served = Arc::downgrade(&client);
    let thread = thread::Builder::new().name("kafka-receipts".into());
    thread.spawn(move || serve(&served)).map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
    Ok(client)
}

fn serve(client: &Weak<Client>) {
    while let Some(client) = client.upgrade() {
        let served = || client.context().0.load(Ordering::Relaxed);
        loop {
            let before = served();
            client.poll(Duration::ZERO);
            if served() == before {
                break;
            }
        }
        drop(client);
        thread::sleep(RECEIPTS);
    }
}

/// Too large for the broker or for this client, now and ever.
pub(crate) fn is_too_large(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize)
    )
}

/// The local queue is full.
pub(super) fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// Passes receipts on, on the thread that serves them, and counts them.
#[derive(Default)]
pub(super) struct Receipts(AtomicU64);

impl ClientContext for Receipts {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        Logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Logging.error(error, reason);
    }
}

impl ProducerContext for Receipts {
    type DeliveryOpaque = Box<Receipt>;

    fn delivery(&self, delivery: &DeliveryResult<'_>, receipt: Box<Receipt>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        let result = match delivery {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.clone()),
        };
        match *receipt {
            Receipt::Chunk => {
                let outcome = if result.is_ok() { "delivered" } else { "failed" };
                metrics::counter!("loquent_log_chunks_total", "outcome" => outcome).increment(1);
            }
            // Nobody listens any more where the relay has begun anew.
            Receipt::Relay(number, reports) => drop(reports.send(Delivered { number, result })),
            Receipt::Letter(waiting) => drop(waiting.send(result)),
        }
    }
}
