//! What the broker alone takes from produce to consume, at the same rate and with the same client settings as ours.

use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

const PARTITIONS: i32 = 12;
/// About what a sealed chunk takes on the topic.
const VALUE_BYTES: usize = 450;

/// A topic of its own on the broker, with a warm producer and consumer.
pub(crate) struct Raw {
    topic: String,
    producer: BaseProducer,
    brokers: String,
}

impl Raw {
    pub(crate) async fn new(brokers: &str) -> anyhow::Result<Self> {
        let topic = format!("bench.raw.{:08x}", rand::random::<u32>());
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", brokers).create()?;
        let new = NewTopic::new(&topic, PARTITIONS, TopicReplication::Fixed(-1));
        admin.create_topics([&new], &AdminOptions::new()).await?;
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "0")
            .create()?;
        Ok(Self { topic, producer, brokers: brokers.to_owned() })
    }

    fn consumer(&self) -> anyhow::Result<BaseConsumer> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", &self.topic)
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "5")
            .set("fetch.min.bytes", "1")
            .create()?;
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let (_, end) = consumer.fetch_watermarks(&self.topic, partition, Duration::from_secs(10))?;
            partitions.add_partition_offset(&self.topic, partition, Offset::Offset(end))?;
        }
        consumer.assign(&partitions)?;
        Ok(consumer)
    }

    /// Sends `rate` records a second for `warm_up + length`; latencies in microseconds from the intended time of sending.
    pub(crate) fn round(&self, rate: u32, warm_up: Duration, length: Duration) -> anyhow::Result<Histogram<u64>> {
        let consumer = self.consumer()?;
        let start = Instant::now() + Duration::from_millis(500);
        let total = (f64::from(rate) * (warm_up + length).as_secs_f64()) as u32;
        let gap = Duration::from_secs(1) / rate;
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| self.send(start, gap, total));
            let latencies = receive(&consumer, start, total, warm_up);
            sending.join().ok().context("the sender panicked")??;
            latencies
        })
    }

    fn send(&self, start: Instant, gap: Duration, total: u32) -> anyhow::Result<()> {
        for number in 0..total {
            let due = start + gap * number;
            while let Some(early) = due.checked_duration_since(Instant::now()).filter(|early| !early.is_zero()) {
                self.producer.poll(early.min(Duration::from_micros(200)));
            }
            let key = format!("stream-{}", number % 50);
            let mut value = vec![b'x'; VALUE_BYTES];
            let intended = (gap * number).as_nanos() as u64;
            value[..8].copy_from_slice(&intended.to_be_bytes());
            let record = BaseRecord::to(&self.topic).key(&key).payload(&value);
            self.producer.send(record).map_err(|(error, _)| error)?;
        }
        self.producer.flush(Duration::from_secs(10))?;
        Ok(())
    }
}

fn receive(consumer: &BaseConsumer, start: Instant, total: u32, warm_up: Duration) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    for _ in 0..total {
        let message = consumer.poll(Duration::from_secs(10)).context("the broker delivered too little")??;
        let now = start.elapsed();
        let head: [u8; 8] =
            message.payload().and_then(|value| value.first_chunk()).copied().context("a foreign record")?;
        let intended = Duration::from_nanos(u64::from_be_bytes(head));
        if intended >= warm_up {
            latencies.record(now.saturating_sub(intended).as_micros() as u64)?;
        }
    }
    Ok(latencies)
}
