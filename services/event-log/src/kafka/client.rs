//! What all clients of the broker have in common.

use std::sync::Arc;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, ClientContext};
use tracing::{debug, error};

use crate::{Error, Settings};

/// The largest record that we send: what we append stays under 900 kB, a dead letter carries headers of its own.
pub(super) const LARGEST_RECORD: &str = "1200000";

/// Settings of the clients: ours that may be changed, then the user's, then those that our promises rest on.
#[derive(Clone)]
pub(super) struct Clients {
    brokers: Arc<str>,
    settings: Arc<Settings>,
}

impl Clients {
    pub(super) fn new(settings: Settings, brokers: &str) -> Self {
        Self { brokers: brokers.into(), settings: Arc::new(settings) }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn config(&self, changeable: &[(&str, &str)], fixed: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        let common = [
            ("client.id", self.settings.client_id.as_str()),
            // A broker that comes back is used at once.
            ("reconnect.backoff.max.ms", "1000"),
            ("log.connection.close", "false"),
            ("socket.nagle.disable", "true"),
        ];
        let user = self.settings.kafka.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all = common.into_iter().chain(changeable.iter().copied()).chain(user).chain(fixed.iter().copied());
        for (name, value) in all {
            config.set(name, value);
        }
        config.set("bootstrap.servers", self.brokers.as_ref());
        config.set_log_level(RDKafkaLogLevel::Warning);
        config
    }

    /// A producer that keeps the order, doubles nothing and says when all replicas have a record.
    pub(super) fn producer(&self, more: &[(&str, &str)]) -> ClientConfig {
        let changeable = [("linger.ms", "0"), ("message.max.bytes", LARGEST_RECORD)];
        let fixed = [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "5"),
            ("partitioner", "murmur2_random"),
        ];
        self.config(&changeable, &[&fixed, more].concat())
    }

    /// A consumer that never commits by itself and begins at the beginning where it has no place.
    pub(super) fn consumer(&self, group: &str, changeable: &[(&str, &str)], more: &[(&str, &str)]) -> ClientConfig {
        let fetching = [
            // The broker answers as soon as there is something; a short wait would only make it answer that there is nothing. What
            // comes anew to what is read, after a pause for example, waits for the answer that is under way.
            ("fetch.min.bytes", "1"),
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "50"),
            // Small queues bound the memory; a full one is looked at again at once.
            ("fetch.queue.backoff.ms", "10"),
            ("queued.max.messages.kbytes", "8192"),
            ("queued.min.messages", "10000"),
        ];
        let fixed = [
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"),
            ("allow.auto.create.topics", "false"),
        ];
        self.config(&[&fetching, changeable].concat(), &[&fixed, more].concat())
    }

    /// A client that creates and describes topics.
    pub(super) fn admin(&self) -> ClientConfig {
        self.config(&[], &[])
    }
}

/// A client library's error; a setting that it does not understand is the user's, and its value stays unsaid.
pub(super) fn refused(error: KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => {
            Error::Settings(format!("the log's setting {name} is not known or has a value that it cannot have"))
        }
        other => Error::Kafka(other),
    }
}

/// The library's own messages. They come many times over while a broker is down: whether it is there is said once, by
/// [`Health`](super::health::Health).
#[derive(Clone)]
pub(super) struct Logging;

impl ClientContext for Logging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(facility, message, "kafka client");
            }
            _ => debug!(facility, message, "kafka client"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "kafka client");
    }
}

impl ConsumerContext for Logging {}
