//! One member of a consumer group: a thread that polls, whatever the handler takes, and a queue per partition between the two.

mod assignment;
mod queues;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use event_store::Checkpoints;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::time::sleep_until;
use tracing::{debug, warn};

use self::assignment::Assignment;
use self::queues::Shared;
use super::client::{Clients, refused};
use super::wire;
use crate::{Batch, Error, Result};

/// How long one look at the broker's queue takes at most while nothing comes.
const POLL: Duration = Duration::from_millis(50);
/// How often the group is told how far it is.
const COMMIT_PERIOD: Duration = Duration::from_millis(500);

/// Each batch costs its reader a transaction, however much it brings: after one, others gather so long for each record that it had, up
/// to so many records.
const GATHERING: Duration = Duration::from_millis(2);
const MANY: usize = 20;

pub(crate) struct Consumer {
    shared: Arc<Shared>,
    /// When the next batch is worth it.
    due: tokio::time::Instant,
}

impl Consumer {
    pub(super) fn join(clients: &Clients, topic: &str, group: &str, checkpoints: Checkpoints) -> Result<Self> {
        let settings = clients.settings();
        let name = format!("{}{group}", settings.topic_prefix);
        let session = settings.group_session_timeout.as_millis().max(1_000);
        let heartbeat = (session / 3).min(3_000).to_string();
        let poll_interval = (session * 2).max(300_000).to_string();
        let session = session.to_string();
        let config = clients.consumer(
            &name,
            &[("fetch.wait.max.ms", "50"), ("topic.metadata.refresh.interval.ms", "10000")],
            &[
                ("partition.assignment.strategy", "cooperative-sticky"),
                ("session.timeout.ms", &session),
                ("heartbeat.interval.ms", &heartbeat),
                ("max.poll.interval.ms", &poll_interval),
            ],
        );
        let shared = Arc::new(Shared::default());
        let assignment = Assignment::new(Arc::clone(&shared), checkpoints, Handle::current());
        let consumer: BaseConsumer<Assignment> = config.create_with_context(assignment).map_err(refused)?;
        consumer.subscribe(&[topic])?;
        let member = Member { consumer, topic: topic.into(), group: group.into(), shared: Arc::clone(&shared) };
        let thread = thread::Builder::new().name(format!("kafka-{group}"));
        thread.spawn(move || member.run()).map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { shared, due: tokio::time::Instant::now() })
    }

    pub(crate) async fn next(&mut self) -> Result<Batch> {
        self.shared.done();
        sleep_until(self.due).await;
        loop {
            if let Some(batch) = self.shared.take()? {
                self.due = tokio::time::Instant::now() + GATHERING * batch.records.len().min(MANY) as u32;
                return Ok(batch);
            }
            self.shared.filled.notified().await;
        }
    }

    pub(crate) fn commit(&self, batch: &Batch) {
        self.shared.committed(batch);
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// The thread's side.
struct Member {
    consumer: BaseConsumer<Assignment>,
    topic: String,
    group: String,
    shared: Arc<Shared>,
}

impl Member {
    fn run(self) {
        let mut committed = Instant::now();
        let mut complained = false;
        while !self.shared.is_over() {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    complained = false;
                    let received = wire::received(&message, &self.group);
                    let size = message.payload_len() + 1024;
                    self.shared.push(message.partition(), message.offset(), size, received);
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    self.shared.fail(format!("the client has failed for good: {code}"));
                }
                Some(Err(error)) if complained => debug!(group = self.group, %error, "kafka consumer"),
                Some(Err(error)) => {
                    complained = true;
                    warn!(group = self.group, %error, "the group's reading is disturbed");
                }
                None => {}
            }
            self.regulate();
            if committed.elapsed() >= COMMIT_PERIOD {
                committed = Instant::now();
                self.commit();
            }
        }
        self.commit();
        // Dropping the client leaves the group.
    }

    /// Stops the fetching of partitions whose queue is full and resumes that of others.
    fn regulate(&self) {
        let (full, roomy) = self.shared.regulate();
        for (partitions, pause) in [(full, true), (roomy, false)] {
            if partitions.is_empty() {
                continue;
            }
            let list = self.list(partitions.into_iter().map(|partition| (partition, Offset::Invalid)));
            let result = if pause { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
            if let Err(error) = result {
                debug!(group = self.group, %error, pause, "partitions were not paused or resumed");
            }
        }
    }

    fn commit(&self) {
        let offsets = self.shared.to_commit();
        if offsets.is_empty() {
            return;
        }
        let list = self.list(offsets.into_iter().map(|(partition, offset)| (partition, Offset::Offset(offset))));
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            debug!(group = self.group, %error, "the group's place was not told to the broker");
        }
    }

    fn list(&self, partitions: impl Iterator<Item = (i32, Offset)>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            // Fails only for offsets that cannot be said, of which there are none here.
            let _ = list.add_partition_offset(&self.topic, partition, offset);
        }
        list
    }
}
