//! Where the chunks of an ended message began and when they came, packed.
//!
//! Per chunk three unsigned LEB128 numbers: byte length × 4 + kind, milliseconds since the chunk before it (the first:
//! since `AgentStarted`), and `after` minus that of the chunk before it (the first: minus the sequence of `AgentStarted`).
//! The packed bytes are base64url text, because a sealed value is text.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{ChunkKind, Sequence};

/// One chunk of an ended message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSpan {
    /// What the text is.
    pub kind: ChunkKind,
    /// Bytes of UTF-8 that it takes from the text of its kind.
    pub bytes: u32,
    /// Milliseconds since `AgentStarted`; never less than the chunk before it.
    pub delay_ms: u64,
    /// Sequence of the last event before it; never less than the chunk before it.
    pub after: Sequence,
}

/// All chunks of an ended message, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkTable(pub Vec<ChunkSpan>);

/// A text that is no chunk table.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a chunk table")]
pub struct ChunkTableError;

impl ChunkTable {
    /// The text form; `started` is the sequence of the epoch's `AgentStarted`.
    #[must_use]
    pub fn pack(&self, started: Sequence) -> String {
        let mut bytes = Vec::with_capacity(self.0.len() * 5);
        let (mut delay, mut after) = (0, started);
        for span in &self.0 {
            push(&mut bytes, u64::from(span.bytes) << 2 | kind_number(span.kind));
            push(&mut bytes, span.delay_ms.saturating_sub(delay));
            push(&mut bytes, span.after.saturating_sub(after));
            delay = delay.max(span.delay_ms);
            after = after.max(span.after);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// The text was not made by [`pack`](Self::pack).
    pub fn unpack(text: &str, started: Sequence) -> Result<Self, ChunkTableError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ChunkTableError)?;
        let mut rest = bytes.as_slice();
        let mut spans = Vec::new();
        let (mut delay_ms, mut after) = (0_u64, started);
        while !rest.is_empty() {
            let head = pull(&mut rest)?;
            delay_ms = delay_ms.checked_add(pull(&mut rest)?).ok_or(ChunkTableError)?;
            after = after.checked_add(pull(&mut rest)?).ok_or(ChunkTableError)?;
            let bytes = u32::try_from(head >> 2).map_err(|_| ChunkTableError)?;
            spans.push(ChunkSpan { kind: kind(head & 3)?, bytes, delay_ms, after });
        }
        Ok(Self(spans))
    }

    /// Cuts an ended message back into its chunks: kind and delta, in order. `None` where table and texts don't fit.
    #[must_use]
    pub fn cut<'t>(&self, text: &'t str, reasoning: &'t str, calls: &'t str) -> Option<Vec<(ChunkSpan, &'t str)>> {
        let (mut text, mut reasoning, mut calls) = (text, reasoning, calls);
        let cut = self.0.iter().map(|span| {
            let source = match span.kind {
                ChunkKind::Text => &mut text,
                ChunkKind::Reasoning => &mut reasoning,
                ChunkKind::ToolCall => &mut calls,
            };
            let (delta, rest) = source.split_at_checked(span.bytes as usize)?;
            *source = rest;
            Some((*span, delta))
        });
        cut.collect()
    }
}

fn kind_number(kind: ChunkKind) -> u64 {
    match kind {
        ChunkKind::Text => 0,
        ChunkKind::Reasoning => 1,
        ChunkKind::ToolCall => 2,
    }
}

fn kind(number: u64) -> Result<ChunkKind, ChunkTableError> {
    [ChunkKind::Text, ChunkKind::Reasoning, ChunkKind::ToolCall]
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
        .ok_or(ChunkTableError)
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn pull(rest: &mut &[u8]) -> Result<u64, ChunkTableError> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or(ChunkTableError)?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(ChunkTableError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ChunkTable {
        let span = |kind, bytes, delay_ms, after| ChunkSpan { kind, bytes, delay_ms, after };
        ChunkTable(vec![
            span(ChunkKind::Reasoning, 4, 0, 9),
            span(ChunkKind::Text, 5, 130, 9),
            span(ChunkKind::ToolCall, 3, 130, 9),
            span(ChunkKind::Text, 2, 131, 12),
        ])
    }

    #[test]
    fn a_table_reads_back() {
        assert_eq!(ChunkTable::unpack(&table().pack(9), 9), Ok(table()));
        assert_eq!(ChunkTable::unpack("", 9), Ok(ChunkTable::default()));
        assert_eq!(ChunkTable::unpack("_w", 9), Err(ChunkTableError));
        assert_eq!(ChunkTable::unpack("!", 9), Err(ChunkTableError));
    }

    #[test]
    fn a_message_is_cut_where_it_was_joined() {
        let table = table();
        let cut = table.cut("hello w", "hmm ", "{}!").expect("fits");
        assert_eq!(cut.iter().map(|(_, delta)| *delta).collect::<Vec<_>>(), ["hmm ", "hello", "{}!", " w"]);
        assert_eq!(table.cut("hell", "hmm ", "{}!"), None);
    }
}
