//! The text of a message that is still being written, from the log.

use std::sync::Arc;

use events::{ChunkKind, ConversationId, MessageId};

use super::fill::turn_before;
use super::item::LiveChunk;
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
        let chunks = self.0.chunks_of(conversation, message, event.record.time).await?;
        let mut text = String::new();
        for (index, chunk) in (0..).zip(chunks) {
            if chunk.data.index != index {
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
