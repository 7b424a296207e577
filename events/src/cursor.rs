//! A reader's place in one conversation: `<sequence>[.<s>-<n>]*`.

use std::fmt;
use std::str::FromStr;

use crate::Sequence;

/// How far a reader has come in a message that is still being produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpenMessage {
    /// Sequence of the `AgentStarted` whose chunks these are; it implies the epoch.
    pub started: Sequence,
    /// How many of its chunks were delivered: the index of the next one.
    pub chunks: u32,
}

/// The last event delivered and, for each message in flight there, how many of its chunks were.
///
/// What follows it: the events after `sequence`; of a message named, the chunks from `chunks` on; of one not named, those
/// whose `after` is at or past `sequence`. Valid as long as the conversation exists; opaque to clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The last event delivered; 0 is the beginning.
    pub sequence: Sequence,
    /// The messages in flight there, by `started`, each named once.
    pub open: Vec<OpenMessage>,
}

/// A text that is no cursor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a valid cursor")]
pub struct CursorError;

/// More messages than can be in flight at once in one conversation.
const OPEN_LIMIT: usize = 64;

impl Cursor {
    /// Just after the event with this sequence.
    #[must_use]
    pub fn at(sequence: Sequence) -> Self {
        Self { sequence, open: Vec::new() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sequence)?;
        self.open.iter().try_for_each(|open| write!(f, ".{}-{}", open.started, open.chunks))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.split('.');
        let sequence = number(parts.next().unwrap_or_default())?;
        let mut open = Vec::new();
        for part in parts {
            let (started, chunks) = part.split_once('-').ok_or(CursorError)?;
            let message = OpenMessage { started: number(started)?, chunks: number(chunks)? };
            let in_order = open.last().is_none_or(|last: &OpenMessage| last.started < message.started);
            if !in_order || message.started == 0 || message.started > sequence || open.len() == OPEN_LIMIT {
                return Err(CursorError);
            }
            open.push(message);
        }
        Ok(Self { sequence, open })
    }
}

/// Digits only (no sign, no leading zero), within the target's range and 2^53-1.
fn number<T: TryFrom<u64>>(text: &str) -> Result<T, CursorError> {
    let canonical =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let value: u64 = canonical.then_some(text).and_then(|t| t.parse().ok()).ok_or(CursorError)?;
    if value > (1 << 53) - 1 {
        return Err(CursorError);
    }
    T::try_from(value).map_err(|_| CursorError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back() {
        for text in ["0", "7", "7.4-12", "9.2-0.4-4294967295"] {
            assert_eq!(text.parse::<Cursor>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in [
            "",
            "x",
            "-1",
            "+1",
            "01",
            "7.",
            "7.4",
            "7.4-",
            "7.8-1",
            "7.4-1.4-2",
            "7.5-1.4-2",
            "7.0-1",
            "9007199254740992",
            "7.4-4294967296",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }
}
