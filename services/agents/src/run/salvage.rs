//! What a run has said whose worker is gone: it stays with the message, also where nobody continues it.

use events::{ChunkSpan, ChunkTable, Field};

use super::Job;
use crate::Result;
use crate::answer::Parts;
use crate::history;

/// What is left of a run.
#[derive(Default)]
pub(super) struct Salvage {
    pub(super) said: Parts,
    pub(super) chunks: ChunkTable,
    /// Bytes that its open call has said.
    pub(super) of_call: usize,
}

impl Job<'_> {
    /// Texts and table of the last attempt's chunks, as far as the log still has them; of a run that waits for its tools, as
    /// its steps have them.
    pub(super) async fn salvage(&self) -> Result<Salvage> {
        let budget = self.context.settings.history_limit;
        let steps = match self.run.answered {
            0 => None,
            _ => Some(history::read(self.context, self.loaded, self.turn, self.run, budget).await?),
        };
        let (before, chunks) = steps.map(|steps| (steps.said, steps.table)).unwrap_or_default();
        if self.run.open_call.is_none() {
            return Ok(Salvage { said: before, chunks, of_call: 0 });
        }
        // What this attempt's steps have said stands in the store; an attempt that took over says it again.
        let mut left = match chunks.0.is_empty() {
            true => Salvage::default(),
            false => Salvage { said: before.clone(), chunks, of_call: 0 },
        };
        self.add_chunks(&mut left).await?;
        left.of_call = left.said.bytes().saturating_sub(before.bytes());
        // It died before it had said all of it again: the rest comes after what readers have.
        for (kind, rest) in before.after(&left.said).pieces() {
            let last = left.chunks.0.last().copied();
            let (delay_ms, after) = last.map_or((0, self.run.started), |span| (span.delay_ms, span.after));
            left.chunks.0.push(ChunkSpan { kind, bytes: rest.len() as u32, delay_ms, after });
            left.said.push(kind, rest);
        }
        Ok(left)
    }

    /// Adds the chunks that the log still has after those known.
    async fn add_chunks(&self, left: &mut Salvage) -> Result<()> {
        let conversation = self.work.conversation;
        let Some(before) = self.run.started.checked_sub(1) else { return Ok(()) };
        let started = self.context.store.load(conversation, before, 1).await?;
        let Some(started) = started.first() else { return Ok(()) };
        let chunks = match self.context.log.chunks_of(conversation, self.run.message, started.time).await {
            Ok(chunks) => chunks,
            Err(error) => {
                tracing::warn!(%error, run = %self.run.run, "the chunks of a dead worker cannot be read");
                return Ok(());
            }
        };
        for chunk in &chunks {
            let data = &chunk.data;
            if data.epoch != self.run.epoch || data.index as usize != left.chunks.0.len() {
                continue;
            }
            let field = Field::new(&self.work.tenant, conversation, self.run.message, "delta");
            let delta = self.context.keyring.open(&data.delta, &field.of_chunk(data.epoch, data.index)).await?;
            let Some(delta) = delta else { break };
            left.said.push(data.kind, &delta);
            let bytes = delta.len() as u32;
            left.chunks.0.push(ChunkSpan { kind: data.kind, bytes, delay_ms: data.delay_ms, after: data.after });
        }
        Ok(())
    }
}
