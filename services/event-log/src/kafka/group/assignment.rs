//! Partitions come and go: each begins at its checkpoint in the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use event_store::Checkpoints;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tokio::runtime::Handle;
use tracing::{debug, warn};

use super::queues::Shared;
use crate::kafka::client::Logging;

/// How long the database may take to say where partitions begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a batch in hand may hold a partition back from its next owner.
const LAST_BATCH: Duration = Duration::from_secs(3);

pub(super) struct Assignment {
    shared: Arc<Shared>,
    checkpoints: Checkpoints,
    runtime: Handle,
}

impl Assignment {
    pub(super) fn new(shared: Arc<Shared>, checkpoints: Checkpoints, runtime: Handle) -> Self {
        Self { shared, checkpoints, runtime }
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> KafkaResult<()> {
        let partitions = numbers(list);
        let checkpoints = match self.load(&partitions) {
            Ok(checkpoints) => checkpoints,
            // The client is dropped before it reads anything.
            Err(reason) => {
                self.shared.fail(reason);
                return Ok(());
            }
        };
        let offsets = partitions.iter().map(|&partition| (partition, checkpoints.get(&partition).cloned()));
        let offsets: Vec<_> = offsets.collect();
        for mut element in list.elements() {
            let checkpoint = checkpoints.get(&element.partition());
            let Some(offset) = begin(checkpoint) else {
                self.shared.fail("a checkpoint belongs to another log than Kafka's".into());
                return Ok(());
            };
            element.set_offset(offset)?;
        }
        debug!(?partitions, "partitions assigned");
        self.shared.assign(offsets);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(list),
        }
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> KafkaResult<()> {
        let partitions = numbers(list);
        debug!(?partitions, "partitions revoked");
        // Partitions that were lost have an owner already.
        let patience = if consumer.assignment_lost() { Duration::ZERO } else { LAST_BATCH };
        self.shared.revoke(&partitions, patience);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
        }
    }

    /// Asks the database from this thread; also when the runtime is going down, where it answers with an error.
    fn load(&self, partitions: &[i32]) -> Result<HashMap<i32, String>, String> {
        let (answer, answered) = sync_channel(1);
        let (checkpoints, partitions) = (self.checkpoints.clone(), partitions.to_vec());
        self.runtime.spawn(async move {
            // Nobody listens after the patience has ended.
            let _ = answer.send(checkpoints.load(&partitions).await);
        });
        match answered.recv_timeout(PATIENCE) {
            Ok(Ok(checkpoints)) => Ok(checkpoints),
            Ok(Err(error)) => Err(format!("the checkpoints cannot be read: {error}")),
            Err(_) => Err("the checkpoints cannot be read in time".into()),
        }
    }
}

/// Where reading begins; `None` for a checkpoint that is no offset.
fn begin(checkpoint: Option<&String>) -> Option<Offset> {
    match checkpoint {
        None => Some(Offset::Beginning),
        Some(text) => text.parse().ok().map(Offset::Offset),
    }
}

fn numbers(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(|element| element.partition()).collect()
}

impl ClientContext for Assignment {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Logging.error(error, reason);
    }
}

impl ConsumerContext for Assignment {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let result = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list),
            _ => self.revoke(consumer, list),
        };
        if let Err(error) = result {
            warn!(%error, "partitions could not be taken over or given back");
            self.shared.fail(error.to_string());
        }
    }
}
