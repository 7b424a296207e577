//! The text of a message that is still being written, from its ended model calls and the log.

use std::sync::Arc;

use events::{ChunkKind, ChunkProduced, ConversationEvent, ConversationId, MessageId};

use super::fill::turn_before;
use super::item::{LiveChunk, LiveEvent};
use super::{Live, opening};
use crate::Result;

impl Live {
    /// What a message says by now: of one in flight its chunks so far, of one that has ended since all of it; empty where it
    /// has not begun.
    ///
    /// # Errors
    /// The store, the log, the keys.
    pub async fn text_so_far(&self, conversation: ConversationId, message: MessageId) -> Result<String> {
        let last = self.0.store.last_sequence(conversation).await?;
        let history = turn_before(&self.0, conversation, last).await?;
        let end = history.iter().rev().find(|event| event.message() == Some(message));
        let Some(event) = end else { return Ok(String::new()) };
        if event.end().is_some() {
            let texts = opening::texts(&self.0.keyring, event).await?;
            return Ok(texts.text.as_deref().unwrap_or_default().to_owned());
        }
        let Some(ConversationEvent::AgentStarted(started)) = &event.event else { return Ok(String::new()) };
        let of_run = |event: &&Arc<LiveEvent>| event.said().is_some_and(|(run, ..)| run == started.run);
        let calls: Vec<_> = history.iter().filter(of_run).cloned().collect();
        let said = opening::said(&self.0.keyring, &calls, event.sequence()).await?.unwrap_or_default();
        let mut text = said.text(ChunkKind::Text).to_owned();
        let chunks = self.0.chunks_of(conversation, message, event.record.time).await?;
        let is_new = |data: &ChunkProduced| data.epoch == started.epoch && data.index as usize >= said.end();
        let new = chunks.into_iter().filter(|chunk| is_new(&chunk.data));
        for (index, chunk) in (said.end()..).zip(new) {
            if chunk.data.index as usize != index {
                break;
            }
            if chunk.data.kind == ChunkKind::Text {
                let delta = opening::delta(&self.0.keyring, &LiveChunk::new(Arc::clone(&chunk))).await?;
                text.push_str(delta.as_deref().unwrap_or_default());
            }
        }
        Ok(text)
    }
}
