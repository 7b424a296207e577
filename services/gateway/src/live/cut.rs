//! The chunks of an ended message, cut from its own record.

use std::sync::Arc;

use events::{ChunkKind, ChunkSpan, ChunkTable};

/// An ended message's texts and where they were cut; empty where the message was erased.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    spans: Vec<ChunkSpan>,
    text: Arc<str>,
    reasoning: Arc<str>,
}

/// A place in a [`Cut`].
#[derive(Clone, Debug)]
pub(super) struct Cutting {
    cut: Arc<Cut>,
    index: usize,
    text: usize,
    reasoning: usize,
}

impl Cut {
    /// `None` where the table is not that of these texts.
    pub(super) fn new(table: ChunkTable, text: Arc<str>, reasoning: Arc<str>) -> Option<Self> {
        table.cut(&text, &reasoning)?;
        Some(Self { spans: table.0, text, reasoning })
    }
}

impl Cutting {
    /// The place before the chunk with this index.
    pub(super) fn new(cut: Arc<Cut>, index: u32) -> Self {
        let mut cutting = Self { cut, index: 0, text: 0, reasoning: 0 };
        while cutting.index < index as usize && cutting.skip().is_some() {}
        cutting
    }

    /// The next chunk's facts.
    pub(super) fn peek(&self) -> Option<ChunkSpan> {
        self.cut.spans.get(self.index).copied()
    }

    /// The next chunk; the place moves past it.
    pub(super) fn take(&mut self) -> Option<(ChunkSpan, String)> {
        let cut = self.cut.clone();
        let (text, reasoning) = (self.text, self.reasoning);
        let span = self.skip()?;
        let delta = match span.kind {
            ChunkKind::Reasoning => &cut.reasoning[reasoning..self.reasoning],
            ChunkKind::Text | ChunkKind::ToolCall => &cut.text[text..self.text],
        };
        Some((span, delta.to_owned()))
    }

    /// Moves past the next chunk.
    pub(super) fn skip(&mut self) -> Option<ChunkSpan> {
        let span = self.peek()?;
        self.index += 1;
        match span.kind {
            ChunkKind::Reasoning => self.reasoning += span.bytes as usize,
            ChunkKind::Text | ChunkKind::ToolCall => self.text += span.bytes as usize,
        }
        Some(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut() -> Arc<Cut> {
        let span = |kind, bytes, after| ChunkSpan { kind, bytes, delay_ms: 0, after };
        let table = ChunkTable(vec![
            span(ChunkKind::Reasoning, 3, 4),
            span(ChunkKind::Text, 3, 4),
            span(ChunkKind::Reasoning, 1, 5),
            span(ChunkKind::Text, 2, 5),
        ]);
        Arc::new(Cut::new(table, "Hällo".get(..6).unwrap_or("Hällo").into(), "hmm!".into()).unwrap_or_default())
    }

    #[test]
    fn a_cutting_begins_anywhere() {
        for from in 0..5 {
            let mut cutting = Cutting::new(cut(), from);
            let rest: Vec<_> = std::iter::from_fn(|| cutting.take().map(|(_, delta)| delta)).collect();
            assert_eq!(rest, ["hmm", "Hä", "!", "ll"][from.min(4) as usize..]);
        }
    }

    #[test]
    fn a_table_of_other_texts_is_no_cut() {
        let table = ChunkTable(vec![ChunkSpan { kind: ChunkKind::Text, bytes: 9, delay_ms: 0, after: 1 }]);
        assert_eq!(Cut::new(table, "short".into(), "".into()), None);
    }
}
