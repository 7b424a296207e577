//! The chunks of open messages, read back from their partitions: one warm consumer for all who ask.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use events::{ConversationId, MessageId};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::oneshot;
use tracing::debug;

use super::client::{Clients, Logging, refused};
use super::partition::partition_of;
use super::tail::ends;
use super::{topics, wire};
use crate::{Chunk, Error, Result};

/// How long whoever asks may wait.
const PATIENCE: Duration = Duration::from_secs(5);
/// Clocks of workers and broker differ by less.
const MARGIN: Duration = Duration::from_secs(5);
/// How long the client's own queue is left alone while nobody asks.
const IDLE: Duration = Duration::from_secs(1);
/// Those who ask at the same time are served by one reading; at most so many.
const ROUND: usize = 256;

/// Serves [`chunks_of`](Self::chunks_of); ends when dropped.
pub(super) struct Fills(Sender<Request>);

struct Request {
    conversation: ConversationId,
    message: MessageId,
    since: DateTime<Utc>,
    deadline: Instant,
    answer: oneshot::Sender<Result<Vec<Arc<Chunk>>>>,
}

impl Fills {
    pub(super) fn start(clients: &Clients, topic: String) -> Result<Self> {
        let group = format!("{}fill", clients.settings().topic_prefix);
        let config = clients.consumer(&group, &[("fetch.wait.max.ms", "5")], &[("enable.partition.eof", "true")]);
        let consumer = config.create_with_context(Logging).map_err(refused)?;
        let (requests, incoming) = channel();
        let filler = Filler { consumer, topic, partitions: None };
        let thread = thread::Builder::new().name("kafka-fill".into());
        thread.spawn(move || filler.run(&incoming)).map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self(requests))
    }

    pub(super) async fn chunks_of(
        &self,
        conversation: ConversationId,
        message: MessageId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Arc<Chunk>>> {
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + PATIENCE;
        let request = Request { conversation, message, since, deadline, answer };
        self.0.send(request).map_err(|_| Error::Closed)?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(chunks)) => chunks,
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(late()),
        }
    }
}

fn late() -> Error {
    Error::Unavailable("the broker did not give the chunks in time".into())
}

/// The thread's side.
struct Filler {
    consumer: BaseConsumer<Logging>,
    topic: String,
    partitions: Option<i32>,
}

impl Filler {
    fn run(mut self, incoming: &Receiver<Request>) {
        // Warm before anybody asks; a broker that is down is asked again then.
        let _ = self.partitions(Instant::now() + PATIENCE);
        loop {
            match incoming.recv_timeout(IDLE) {
                Ok(first) => {
                    let mut round = vec![first];
                    round.extend(incoming.try_iter().take(ROUND - 1));
                    self.serve(round);
                }
                Err(RecvTimeoutError::Timeout) => drop(self.consumer.poll(Duration::ZERO)),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn serve(&mut self, mut round: Vec<Request>) {
        round.retain(|request| !request.answer.is_closed());
        let Some(deadline) = round.iter().map(|request| request.deadline).max() else { return };
        let result = self.read(&round, deadline);
        if let Err(error) = self.consumer.unassign() {
            debug!(%error, "kafka fill");
        }
        match result {
            Ok(found) => {
                for request in round {
                    // Several may have asked for the same message.
                    let chunks = found.get(&request.message).cloned().unwrap_or_default();
                    drop(request.answer.send(Ok(chunks)));
                }
            }
            Err(error) => {
                let reason = error.to_string();
                for request in round {
                    drop(request.answer.send(Err(Error::Unavailable(reason.clone()))));
                }
            }
        }
    }

    fn read(&mut self, round: &[Request], deadline: Instant) -> Result<HashMap<MessageId, Vec<Arc<Chunk>>>> {
        let count = self.partitions(deadline)?;
        let (places, mut open) = self.places(round, count, deadline)?;
        let keys: Vec<_> = round.iter().map(|request| request.conversation.to_string()).collect();
        let wanted: HashSet<&[u8]> = keys.iter().map(String::as_bytes).collect();
        let mut found: HashMap<MessageId, Vec<Arc<Chunk>>> =
            round.iter().map(|request| (request.message, Vec::new())).collect();
        if !open.is_empty() {
            self.consumer.assign(&places)?;
        }
        while !open.is_empty() {
            match self.consumer.poll(left(deadline)?) {
                Some(Ok(message)) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(&end) = open.get(&partition) else { continue };
                    if offset < end && message.key().is_some_and(|key| wanted.contains(key)) {
                        collect(&mut found, wire::chunk(&message));
                    }
                    if offset + 1 >= end {
                        open.remove(&partition);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error.into()),
                Some(Err(error)) => debug!(%error, "kafka fill"),
                None => {}
            }
        }
        Ok(found)
    }

    /// Where to begin in each partition that is asked for, and where to end in those that have anything.
    fn places(
        &self,
        round: &[Request],
        count: i32,
        deadline: Instant,
    ) -> Result<(TopicPartitionList, HashMap<i32, i64>)> {
        let mut since: HashMap<i32, i64> = HashMap::new();
        for request in round {
            let partition = partition_of(request.conversation.to_string().as_bytes(), count);
            let time = (request.since - MARGIN).timestamp_millis().max(0);
            since.entry(partition).and_modify(|first| *first = time.min(*first)).or_insert(time);
        }
        let mut times = TopicPartitionList::new();
        for (&partition, &time) in &since {
            times.add_partition_offset(&self.topic, partition, Offset::Offset(time))?;
        }
        let ends = ends(&self.consumer, times.clone(), left(deadline)?)?;
        let begins = self.consumer.offsets_for_times(times, left(deadline)?)?;
        let mut places = TopicPartitionList::new();
        let mut open = HashMap::new();
        for begin in begins.elements() {
            begin.error()?;
            let end = ends.find_partition(&self.topic, begin.partition()).map(|end| end.offset());
            // Without an offset there is nothing as young as that.
            if let (Offset::Offset(from), Some(Offset::Offset(end))) = (begin.offset(), end)
                && from < end
            {
                places.add_partition_offset(&self.topic, begin.partition(), begin.offset())?;
                open.insert(begin.partition(), end);
            }
        }
        Ok((places, open))
    }

    fn partitions(&mut self, deadline: Instant) -> Result<i32> {
        if let Some(count) = self.partitions {
            return Ok(count);
        }
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), left(deadline)?)?;
        let count = topics::partitions(&metadata, &self.topic)?;
        self.partitions = Some(count);
        Ok(count)
    }
}

/// Keeps the chunks of the highest epoch.
fn collect(found: &mut HashMap<MessageId, Vec<Arc<Chunk>>>, chunk: std::result::Result<Option<Chunk>, String>) {
    let Ok(Some(chunk)) = chunk else { return };
    let Some(chunks) = found.get_mut(&chunk.data.message) else { return };
    let epoch = chunks.first().map_or(0, |first| first.data.epoch);
    if chunk.data.epoch < epoch {
        return;
    }
    if chunk.data.epoch > epoch {
        chunks.clear();
    }
    chunks.push(Arc::new(chunk));
}

fn left(deadline: Instant) -> Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(late()) } else { Ok(left) }
}
