//! What a run has said whose worker is gone: it stays with the message, also where nobody continues it.

use events::{ChunkSpan, ChunkTable, Field};

use super::Job;
use crate::Result;
use crate::answer::Parts;
use crate::history;

impl Job<'_> {
    /// Texts and table of the last attempt's chunks, as far as the log still has them; of a run that waits for its tools, as
    /// its steps have them.
    pub(super) async fn salvage(&self) -> Result<(Parts, ChunkTable)> {
        if self.run.epoch > 0 && self.run.open_call.is_none() {
            let budget = self.context.settings.history_limit;
            let history = history::read(self.context, self.loaded, self.turn, self.run, budget).await?;
            return Ok((history.said, history.table));
        }
        let (mut said, mut table) = (Parts::default(), ChunkTable::default());
        let conversation = self.work.conversation;
        let Some(before) = self.run.started.checked_sub(1) else { return Ok((said, table)) };
        let started = self.context.store.load(conversation, before, 1).await?;
        let Some(started) = started.first() else { return Ok((said, table)) };
        let chunks = match self.context.log.chunks_of(conversation, self.run.message, started.time).await {
            Ok(chunks) => chunks,
            Err(error) => {
                tracing::warn!(%error, run = %self.run.run, "the chunks of a dead worker cannot be read");
                return Ok((said, table));
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
            said.push(data.kind, &delta);
            let bytes = delta.len() as u32;
            table.0.push(ChunkSpan { kind: data.kind, bytes, delay_ms: data.delay_ms, after: data.after });
        }
        Ok((said, table))
    }
}
