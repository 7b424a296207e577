use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_store::Checkpoints;
use events::{ConversationId, MessageId, Sequence};

use crate::{Batch, Chunk, DeadLetter, Item, NewChunk, Result, Settings, TopicDescription};

/// The log on a broker that speaks Kafka's protocol.
#[derive(Clone)]
pub struct Kafka;
pub(crate) struct Tail;
pub(crate) struct Consumer;
impl Tail {
    pub(crate) async fn next(&mut self) -> Result<Vec<Item>> {
        todo!()
    }
}
impl Consumer {
    pub(crate) async fn next(&mut self) -> Result<Batch> {
        todo!()
    }
    pub(crate) fn commit(&self, batch: &Batch) {
        todo!()
    }
}
impl Kafka {
    pub(crate) async fn connect(settings: Settings, brokers: &str) -> Result<Self> {
        todo!()
    }
    pub(crate) async fn ensure_topics(&self) -> Result<()> {
        todo!()
    }
    pub(crate) async fn describe_topics(&self) -> Result<Vec<TopicDescription>> {
        todo!()
    }
    pub(crate) fn consumer(&self, group: &str, checkpoints: Checkpoints) -> Result<crate::Consumer> {
        todo!()
    }
    pub(crate) async fn read(&self, from_beginning: bool) -> Result<crate::Tail> {
        todo!()
    }
    pub(crate) fn publish_chunk(&self, chunk: &NewChunk) -> Result<Sequence> {
        todo!()
    }
    pub(crate) async fn chunks_of(
        &self,
        conversation: ConversationId,
        message: MessageId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Arc<Chunk>>> {
        todo!()
    }
    pub(crate) async fn dead_letter(&self, letter: DeadLetter) -> Result<()> {
        todo!()
    }
    pub(crate) fn healthy(&self) -> bool {
        todo!()
    }
}
