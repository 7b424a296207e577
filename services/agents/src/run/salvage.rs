//! What a dead worker had published: it stays with the message, also where nobody continues it.

use events::{ChunkKind, ChunkSpan, ChunkTable, Field};

use super::Job;
use crate::Result;

impl Job<'_> {
    /// Text, reasoning and table of the last attempt's chunks, as far as the log still has them.
    pub(super) async fn salvage(&self) -> Result<(String, String, ChunkTable)> {
        let (mut text, mut reasoning, mut table) = (String::new(), String::new(), ChunkTable::default());
        let conversation = self.work.conversation;
        let Some(before) = self.run.started.checked_sub(1) else { return Ok((text, reasoning, table)) };
        let started = self.context.store.load(conversation, before, 1).await?;
        let Some(started) = started.first() else { return Ok((text, reasoning, table)) };
        let chunks = match self.context.log.chunks_of(conversation, self.run.message, started.time).await {
            Ok(chunks) => chunks,
            Err(error) => {
                tracing::warn!(%error, run = %self.run.run, "the chunks of a failed run cannot be read");
                return Ok((text, reasoning, table));
            }
        };
        for chunk in &chunks {
            let data = &chunk.data;
            if data.epoch != self.run.epoch || data.index as usize != table.0.len() {
                continue;
            }
            let field = Field::new(&self.work.tenant, conversation, self.run.message, "delta");
            let delta = self.context.keyring.open(&data.delta, &field.of_chunk(data.epoch, data.index)).await?;
            let Some(delta) = delta else { break };
            let source = if data.kind == ChunkKind::Reasoning { &mut reasoning } else { &mut text };
            source.push_str(&delta);
            let bytes = delta.len() as u32;
            table.0.push(ChunkSpan { kind: data.kind, bytes, delay_ms: data.delay_ms, after: data.after });
        }
        Ok((text, reasoning, table))
    }
}
