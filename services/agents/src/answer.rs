//! An answer in the making: what the model said so far, and how much of it is on its way to readers.

use std::collections::VecDeque;

use events::ChunkKind;

/// Bytes of one chunk at most; more that waits is cut.
const CHUNK: usize = 16 << 10;
/// Changes between text and reasoning: each is a chunk of its own, and the table of all chunks has to fit into one record.
const STRETCHES: usize = 8192;

/// What a model said. What waits to be published is not copied: it is the end of what there is, so the limit of an answer
/// bounds the queue as well.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    limit: usize,
    pub(crate) text: String,
    pub(crate) reasoning: String,
    published_text: usize,
    published_reasoning: usize,
    /// Stretches of one kind that wait, in the order in which they came.
    waiting: VecDeque<(ChunkKind, usize)>,
    stretches: usize,
    last: Option<ChunkKind>,
}

impl Answer {
    /// Empty, for at most so many bytes of text and reasoning.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Adds a piece. `false`: the limit is reached; of the piece only the part that fits was taken.
    pub(crate) fn push(&mut self, kind: ChunkKind, piece: &str) -> bool {
        let room = self.limit.saturating_sub(self.text.len() + self.reasoning.len());
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
        match kind {
            ChunkKind::Reasoning => self.reasoning.push_str(piece),
            ChunkKind::Text | ChunkKind::ToolCall => self.text.push_str(piece),
        }
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
            ChunkKind::Reasoning => &self.reasoning[self.published_reasoning..],
            ChunkKind::Text | ChunkKind::ToolCall => &self.text[self.published_text..],
        };
        Some((kind, cut(&source[..bytes], CHUNK)))
    }

    /// The next chunk's first `bytes` wait no more.
    pub(crate) fn published(&mut self, bytes: usize) {
        let Some((kind, left)) = self.waiting.front_mut() else { return };
        match kind {
            ChunkKind::Reasoning => self.published_reasoning += bytes,
            ChunkKind::Text | ChunkKind::ToolCall => self.published_text += bytes,
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
        let mut answer = Answer::new(100);
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
        assert_eq!((answer.text.as_str(), answer.reasoning.as_str()), ("ab", "hm!"));
    }

    #[test]
    fn a_piece_that_failed_to_be_published_grows() {
        let mut answer = Answer::new(100);
        answer.push(ChunkKind::Text, "a");
        assert_eq!(answer.next_chunk(), Some((ChunkKind::Text, "a")));
        answer.push(ChunkKind::Text, "b");
        assert_eq!(answer.next_chunk(), Some((ChunkKind::Text, "ab")));
    }

    #[test]
    fn a_long_stretch_is_cut_between_two_characters() {
        let mut answer = Answer::new(1 << 20);
        let text = "ä".repeat(CHUNK);
        answer.push(ChunkKind::Text, "a");
        answer.push(ChunkKind::Text, &text);
        let chunks = drained(&mut answer);
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[0].1.len(), CHUNK - 1);
        assert_eq!(chunks.iter().map(|(_, delta)| delta.as_str()).collect::<String>(), answer.text);
    }

    #[test]
    fn a_model_that_changes_its_mind_for_ever_is_cut() {
        let mut answer = Answer::new(1 << 20);
        let kinds = [ChunkKind::Text, ChunkKind::Reasoning].into_iter().cycle();
        assert_eq!(kinds.take_while(|kind| answer.push(*kind, "a")).count(), STRETCHES);
    }

    #[test]
    fn the_limit_counts_text_and_reasoning_and_cuts_no_character() {
        let mut answer = Answer::new(6);
        assert!(answer.push(ChunkKind::Reasoning, "abc"));
        assert!(!answer.push(ChunkKind::Text, "ää"));
        assert_eq!(answer.text, "ä");
        assert!(!answer.push(ChunkKind::Text, "ä"));
        assert!(answer.push(ChunkKind::Text, "b"));
        assert!(!answer.push(ChunkKind::Text, "c"));
    }
}
