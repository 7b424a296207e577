//! An answer in the making: what the model said so far, and how much of it is on its way to readers.

use std::collections::VecDeque;

use events::ChunkKind;

/// Bytes of one chunk at most; more that waits is cut.
const CHUNK: usize = 16 << 10;
/// Changes between text and reasoning: each is a chunk of its own, and the table of all chunks has to fit into one record.
const STRETCHES: usize = 8192;

/// The texts of an answer, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) calls: String,
}

impl Parts {
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.reasoning.len() + self.calls.len()
    }

    /// Each kind that there is.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (ChunkKind, &str)> {
        let kinds = [
            (ChunkKind::Reasoning, self.reasoning.as_str()),
            (ChunkKind::Text, self.text.as_str()),
            (ChunkKind::ToolCall, self.calls.as_str()),
        ];
        kinds.into_iter().filter(|(_, text)| !text.is_empty())
    }

    /// What was added since `before`.
    pub(crate) fn after(&self, before: &Self) -> Self {
        let rest = |now: &str, then: &str| now.get(then.len()..).unwrap_or_default().to_owned();
        Self {
            text: rest(&self.text, &before.text),
            reasoning: rest(&self.reasoning, &before.reasoning),
            calls: rest(&self.calls, &before.calls),
        }
    }

    /// Adds a piece at the end of its kind.
    pub(crate) fn push(&mut self, kind: ChunkKind, piece: &str) {
        match kind {
            ChunkKind::Text => self.text.push_str(piece),
            ChunkKind::Reasoning => self.reasoning.push_str(piece),
            ChunkKind::ToolCall => self.calls.push_str(piece),
        }
    }
}

/// What a model said. What waits to be published is not copied: it is the end of what there is, so the limit of an answer
/// bounds the queue as well.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    limit: usize,
    said: Parts,
    published_text: usize,
    published_reasoning: usize,
    published_calls: usize,
    /// Stretches of one kind that wait, in the order in which they came.
    waiting: VecDeque<(ChunkKind, usize)>,
    stretches: usize,
    last: Option<ChunkKind>,
}

impl Answer {
    /// For at most so many bytes of all kinds; what was said and published before counts.
    pub(crate) fn resumed(limit: usize, said: Parts) -> Self {
        Self {
            limit,
            published_text: said.text.len(),
            published_reasoning: said.reasoning.len(),
            published_calls: said.calls.len(),
            said,
            ..Self::default()
        }
    }

    /// Everything said so far.
    pub(crate) fn parts(&self) -> &Parts {
        &self.said
    }

    pub(crate) fn into_parts(self) -> Parts {
        self.said
    }

    /// Adds a piece. `false`: the limit is reached; of the piece only the part that fits was taken.
    pub(crate) fn push(&mut self, kind: ChunkKind, piece: &str) -> bool {
        let room = self.limit.saturating_sub(self.said.bytes());
        let fits = piece.len() <= room;
        let piece = cut(piece, room);
        if piece.is_empty() {
            return fits;
        }
        if self.last.replace(kind) != Some(kind) {
            self.stretches += 1;
            if self.stretches > STRETCHES {
                return false;
            }
        }
        self.said.push(kind, piece);
        match self.waiting.back_mut() {
            Some((last, bytes)) if *last == kind => *bytes += piece.len(),
            _ => self.waiting.push_back((kind, piece.len())),
        }
        fits
    }

    /// Whether something waits to be published.
    pub(crate) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What is published next: of one kind, never empty, whole characters.
    pub(crate) fn next_chunk(&self) -> Option<(ChunkKind, &str)> {
        let (kind, bytes) = *self.waiting.front()?;
        let source = match kind {
            ChunkKind::Text => &self.said.text[self.published_text..],
            ChunkKind::Reasoning => &self.said.reasoning[self.published_reasoning..],
            ChunkKind::ToolCall => &self.said.calls[self.published_calls..],
        };
        Some((kind, cut(&source[..bytes], CHUNK)))
    }

    /// The next chunk's first `bytes` wait no more.
    pub(crate) fn published(&mut self, bytes: usize) {
        let Some((kind, left)) = self.waiting.front_mut() else { return };
        match kind {
            ChunkKind::Text => self.published_text += bytes,
            ChunkKind::Reasoning => self.published_reasoning += bytes,
            ChunkKind::ToolCall => self.published_calls += bytes,
        }
        *left -= bytes;
        if *left == 0 {
            self.waiting.pop_front();
        }
    }
}

/// The longest beginning of at most `limit` bytes that ends between two characters.
fn cut(text: &str, limit: usize) -> &str {
    let mut ends = (0..=limit.min(text.len())).rev();
    &text[..ends.find(|end| text.is_char_boundary(*end)).unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(limit: usize) -> Answer {
        Answer::resumed(limit, Parts::default())
    }

    fn drained(answer: &mut Answer) -> Vec<(ChunkKind, String)> {
        let mut chunks = Vec::new();
        while let Some((kind, delta)) = answer.next_chunk() {
            let delta = delta.to_owned();
            answer.published(delta.len());
            chunks.push((kind, delta));
        }
        chunks
    }

    #[test]
    fn what_waits_is_merged_within_its_kind() {
        let mut answer = fresh(100);
        for (kind, piece) in [(ChunkKind::Reasoning, "h"), (ChunkKind::Reasoning, "m"), (ChunkKind::Text, "a")] {
            assert!(answer.push(kind, piece));
        }
        assert!(answer.push(ChunkKind::Reasoning, "!"));
        let expected =
            [(ChunkKind::Reasoning, "hm".into()), (ChunkKind::Text, "a".into()), (ChunkKind::Reasoning, "!".into())];
        assert_eq!(drained(&mut answer), expected);
        assert!(!answer.waits());
        assert!(answer.push(ChunkKind::Text, "b"));
        assert_eq!(drained(&mut answer), [(ChunkKind::Text, "b".into())]);
        assert_eq!((answer.said.text.as_str(), answer.said.reasoning.as_str()), ("ab", "hm!"));
    }

    #[test]
    fn a_piece_that_failed_to_be_published_grows() {
        let mut answer = fresh(100);
        answer.push(ChunkKind::Text, "a");
        assert_eq!(answer.next_chunk(), Some((ChunkKind::Text, "a")));
        answer.push(ChunkKind::Text, "b");
        assert_eq!(answer.next_chunk(), Some((ChunkKind::Text, "ab")));
    }

    #[test]
    fn a_long_stretch_is_cut_between_two_characters() {
        let mut answer = fresh(1 << 20);
        let text = "ä".repeat(CHUNK);
        answer.push(ChunkKind::Text, "a");
        answer.push(ChunkKind::Text, &text);
        let chunks = drained(&mut answer);
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[0].1.len(), CHUNK - 1);
        assert_eq!(chunks.iter().map(|(_, delta)| delta.as_str()).collect::<String>(), answer.said.text);
    }

    #[test]
    fn a_model_that_changes_its_mind_for_ever_is_cut() {
        let mut answer = fresh(1 << 20);
        let kinds = [ChunkKind::Text, ChunkKind::Reasoning].into_iter().cycle();
        assert_eq!(kinds.take_while(|kind| answer.push(*kind, "a")).count(), STRETCHES);
    }

    #[test]
    fn what_was_said_before_counts_and_is_not_published_again() {
        let said = Parts { text: "ab".into(), reasoning: "h".into(), calls: "{}".into() };
        let mut answer = Answer::resumed(8, said);
        assert!(answer.push(ChunkKind::ToolCall, "[") && answer.push(ChunkKind::Text, "c"));
        assert_eq!(drained(&mut answer), [(ChunkKind::ToolCall, "[".into()), (ChunkKind::Text, "c".into())]);
        assert!(!answer.push(ChunkKind::Text, "de"), "the limit is reached");
        assert_eq!((answer.said.text.as_str(), answer.said.calls.as_str()), ("abcd", "{}["));
    }

    #[test]
    fn the_limit_counts_text_and_reasoning_and_cuts_no_character() {
        let mut answer = fresh(6);
        assert!(answer.push(ChunkKind::Reasoning, "abc"));
        assert!(!answer.push(ChunkKind::Text, "ää"));
        assert_eq!(answer.said.text, "ä");
        assert!(!answer.push(ChunkKind::Text, "ä"));
        assert!(answer.push(ChunkKind::Text, "b"));
        assert!(!answer.push(ChunkKind::Text, "c"));
    }
}
