//! The chunks of an ended message, cut from its own record; of one in flight, from those of its ended model calls.

use std::sync::Arc;

use events::{ChunkKind, ChunkSpan, ChunkTable};

/// A message's texts and where they were cut; empty where the message was erased.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// Index of its first chunk: 0, unless it is what one model call of several has said.
    first: usize,
    spans: Vec<ChunkSpan>,
    texts: Sources<Arc<str>>,
}

/// What chunks are cut from: one for each of their kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources<T> {
    pub(super) text: T,
    pub(super) reasoning: T,
    pub(super) calls: T,
}

impl<T> Sources<T> {
    pub(super) fn of(&self, kind: ChunkKind) -> &T {
        match kind {
            ChunkKind::Text => &self.text,
            ChunkKind::Reasoning => &self.reasoning,
            ChunkKind::ToolCall => &self.calls,
        }
    }

    pub(super) fn of_mut(&mut self, kind: ChunkKind) -> &mut T {
        match kind {
            ChunkKind::Text => &mut self.text,
            ChunkKind::Reasoning => &mut self.reasoning,
            ChunkKind::ToolCall => &mut self.calls,
        }
    }
}

/// A place in a [`Cut`].
#[derive(Clone, Debug)]
pub(super) struct Cutting {
    cut: Arc<Cut>,
    index: usize,
    /// Bytes that lie before it.
    passed: Sources<usize>,
}

impl Cut {
    /// `None` where the table is not that of these texts.
    pub(super) fn new(table: ChunkTable, texts: Sources<Arc<str>>) -> Option<Self> {
        table.cut(&texts.text, &texts.reasoning, &texts.calls)?;
        Some(Self { first: 0, spans: table.0, texts })
    }

    /// The last chunks of a table: those of these texts. `None` where no chunk begins where the texts do.
    pub(super) fn last_of(mut table: ChunkTable, texts: Sources<Arc<str>>) -> Option<Self> {
        let kinds = [ChunkKind::Text, ChunkKind::Reasoning, ChunkKind::ToolCall];
        let mut left: usize = kinds.iter().map(|kind| texts.of(*kind).len()).sum();
        let mut first = table.0.len();
        while left > 0 {
            first = first.checked_sub(1)?;
            left = left.checked_sub(table.0[first].bytes as usize)?;
        }
        Self::new(ChunkTable(table.0.split_off(first)), texts).map(|cut| Self { first, ..cut })
    }

    /// Index of its first chunk.
    pub(super) fn first(&self) -> usize {
        self.first
    }

    /// Index after that of its last chunk.
    pub(super) fn end(&self) -> usize {
        self.first + self.spans.len()
    }

    /// All of it of one kind.
    pub(super) fn text(&self, kind: ChunkKind) -> &str {
        let cut = self.spans.iter().filter(|span| span.kind == kind).map(|span| span.bytes as usize);
        &self.texts.of(kind)[..cut.sum()]
    }
}

impl Sources<Arc<str>> {
    /// What was said in one part after the other.
    pub(super) fn joined(parts: &[Self]) -> Self {
        let of = |kind| match parts {
            [one] => one.of(kind).clone(),
            parts => parts.iter().map(|part| part.of(kind).as_ref()).collect::<String>().into(),
        };
        Self { text: of(ChunkKind::Text), reasoning: of(ChunkKind::Reasoning), calls: of(ChunkKind::ToolCall) }
    }
}

impl Cutting {
    /// The place before the chunk with this index; one that the cut begins with, at the earliest.
    pub(super) fn new(cut: Arc<Cut>, index: u32) -> Self {
        let mut cutting = Self { cut, index: 0, passed: Sources::default() };
        while cutting.cut.first + cutting.index < index as usize && cutting.skip().is_some() {}
        cutting
    }

    /// The next chunk's facts.
    pub(super) fn peek(&self) -> Option<ChunkSpan> {
        self.cut.spans.get(self.index).copied()
    }

    /// The next chunk; the place moves past it.
    pub(super) fn take(&mut self) -> Option<(ChunkSpan, String)> {
        let kind = self.peek()?.kind;
        let from = *self.passed.of(kind);
        let span = self.skip()?;
        let delta = &self.cut.texts.of(kind)[from..*self.passed.of(kind)];
        Some((span, delta.to_owned()))
    }

    /// Moves past the next chunk.
    pub(super) fn skip(&mut self) -> Option<ChunkSpan> {
        let span = self.peek()?;
        self.index += 1;
        *self.passed.of_mut(span.kind) += span.bytes as usize;
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
            span(ChunkKind::ToolCall, 2, 5),
            span(ChunkKind::Reasoning, 1, 5),
            span(ChunkKind::Text, 2, 5),
            span(ChunkKind::ToolCall, 1, 5),
        ]);
        let texts = Sources { text: "Hällo".into(), reasoning: "hmm!".into(), calls: "{}!".into() };
        Arc::new(Cut::new(table, texts).unwrap_or_default())
    }

    #[test]
    fn a_cutting_begins_anywhere() {
        for from in 0..7 {
            let mut cutting = Cutting::new(cut(), from);
            let rest: Vec<_> = std::iter::from_fn(|| cutting.take().map(|(_, delta)| delta)).collect();
            assert_eq!(rest, ["hmm", "Hä", "{}", "!", "ll", "!"][from as usize..]);
        }
    }

    #[test]
    fn what_was_said_in_parts_is_cut_as_one() {
        let part = |text: &str, calls: &str| Sources { text: text.into(), calls: calls.into(), ..Sources::default() };
        let joined = Sources::joined(&[part("Häl", "{"), part("lo", ""), part("", "}!")]);
        assert_eq!(joined, part("Hällo", "{}!"));
        assert_eq!(Sources::joined(&[part("one", "")]), part("one", ""));
        assert_eq!(Sources::joined(&[]), part("", ""));
    }

    #[test]
    fn a_cuts_text_ends_where_its_table_does() {
        let table = ChunkTable(cut().spans[..2].to_vec());
        let cut = Cut::new(table, cut().texts.clone()).unwrap_or_default();
        assert_eq!((cut.end(), cut.text(ChunkKind::Text), cut.text(ChunkKind::ToolCall)), (2, "Hä", ""));
    }

    #[test]
    fn what_one_call_has_said_are_the_last_chunks_of_its_table() {
        let table = || ChunkTable(cut().spans.clone());
        let texts = |text: &str| Sources { text: text.into(), reasoning: "!".into(), calls: "!".into() };
        let last = Arc::new(Cut::last_of(table(), texts("ll")).unwrap_or_default());
        assert_eq!((last.first(), last.end()), (3, 6));
        let mut cutting = Cutting::new(last, 4);
        let rest: Vec<_> = std::iter::from_fn(|| cutting.take().map(|(_, delta)| delta)).collect();
        assert_eq!(rest, ["ll", "!"]);
        assert_eq!(Cut::last_of(table(), texts("lla")), None);
        assert_eq!(Cut::last_of(table(), Sources::default()).map(|cut| cut.first()), Some(6));
    }

    #[test]
    fn a_table_of_other_texts_is_no_cut() {
        let table = ChunkTable(vec![ChunkSpan { kind: ChunkKind::Text, bytes: 9, delay_ms: 0, after: 1 }]);
        let texts = Sources { text: "short".into(), ..Sources::default() };
        assert_eq!(Cut::new(table, texts), None);
    }
}
