use crate::{Batch, Item, Result};
use crate::{embedded, kafka};

/// Events and chunks as they are published, to one reader. Dropping it ends the reading.
pub struct Tail(pub(crate) TailOf);

pub(crate) enum TailOf {
    Embedded(embedded::Tail),
    Kafka(kafka::Tail),
}

impl Tail {
    /// What came since, at least one item. Cancel-safe. Records that cannot be read are passed over and counted
    /// (`loquent_log_undecodable_total`); a broker that goes away is waited for, and nothing of it is missed.
    ///
    /// # Errors
    /// [`Error::Lagged`](crate::Error::Lagged), on the embedded log only: the reader did not keep up and what comes next stands
    /// behind a gap; whoever holds state built from this tail builds it anew (events from the store, chunks from
    /// [`chunks_of`](crate::EventLog::chunks_of)). [`Error::Closed`](crate::Error::Closed): nothing more will come.
    pub async fn next(&mut self) -> Result<Vec<Item>> {
        match &mut self.0 {
            TailOf::Embedded(tail) => tail.next().await,
            TailOf::Kafka(tail) => tail.next().await,
        }
    }
}

/// A member of a group that shares the conversations' partitions. Dropping it leaves the group.
///
/// Truth is the checkpoint in the database: whoever finds another there than a batch's step begins at drops the consumer and makes a
/// new one, which begins at the checkpoint.
pub struct Consumer(pub(crate) ConsumerOf);

pub(crate) enum ConsumerOf {
    Embedded(Box<embedded::Consumer>),
    Kafka(kafka::Consumer),
}

impl Consumer {
    /// The next records, at least one. Cancel-safe. The call says that the batch before is dealt with.
    ///
    /// # Errors
    /// The checkpoints cannot be read, or the client has failed for good: drop the consumer and make a new one, after a while.
    pub async fn next(&mut self) -> Result<Batch> {
        match &mut self.0 {
            ConsumerOf::Embedded(consumer) => consumer.next().await,
            ConsumerOf::Kafka(consumer) => consumer.next().await,
        }
    }

    /// Tells the broker how far the group is, after the database transaction. For the eyes of operators only.
    pub fn commit(&self, batch: &Batch) {
        if let ConsumerOf::Kafka(consumer) = &self.0 {
            consumer.commit(batch);
        }
    }
}
