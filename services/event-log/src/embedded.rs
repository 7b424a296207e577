use std::sync::Arc;

use event_store::{Checkpoints, EventStore};
use events::{MessageId, Sequence};

use crate::{Batch, Chunk, DeadLetter, Item, NewChunk, Result};

/// The log within one process. It follows the store's tail; chunks live in memory until their message ends.
#[derive(Clone)]
pub struct Embedded;
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
}
impl Embedded {
    pub(crate) async fn start(store: EventStore) -> Result<Self> {
        todo!()
    }
    pub(crate) fn consumer(&self, group: &str, checkpoints: Checkpoints) -> crate::Consumer {
        todo!()
    }
    pub(crate) async fn read(&self, from_beginning: bool) -> Result<crate::Tail> {
        todo!()
    }
    pub(crate) fn publish_chunk(&self, chunk: NewChunk) -> Sequence {
        todo!()
    }
    pub(crate) fn chunks_of(&self, message: MessageId) -> Vec<Arc<Chunk>> {
        todo!()
    }
    pub(crate) fn dead_letter(&self, letter: &DeadLetter) {
        todo!()
    }
}
