//! What must hold of everything that a person has seen of a conversation from its beginning.

use std::collections::{BTreeMap, HashMap};

use events::Cursor;
use serde_json::Value;

use crate::client::{Sent, text};

/// A conversation's updates, with chunks, from its beginning to a moment of rest.
pub struct History<'u>(pub &'u [Value]);

impl History<'_> {
    /// Events are contiguous; chunks count from 0 and come before their message's end; every answer ends once, with the text
    /// of its chunks.
    ///
    /// # Panics
    /// One of these does not hold.
    pub fn check(&self) {
        self.events_are_contiguous();
        self.answers_end_once_with_the_text_of_their_chunks();
    }

    /// Some events are not shown: `TurnPlanned` always follows `TurnStarted`, and a run's end stands before its turn's.
    fn events_are_contiguous(&self) {
        let (mut last, mut before) = (0, "");
        for update in self.0 {
            let cursor: Cursor = text(&update["cursor"]).parse().expect("a cursor");
            let kind = update["__typename"].as_str().unwrap_or_default();
            if kind == "ChunkProduced" {
                assert_eq!(cursor.sequence, last, "a chunk belongs to the event before it: {update}");
                continue;
            }
            let hidden = u64::from(before == "TurnStarted") + u64::from(matches!(kind, "TurnCompleted" | "TurnFailed"));
            assert_eq!(cursor.sequence, last + 1 + hidden, "events have no gap and no double: {update}");
            (last, before) = (cursor.sequence, kind);
        }
    }

    fn answers_end_once_with_the_text_of_their_chunks(&self) {
        // Message -> the highest epoch's chunks so far.
        let mut open: HashMap<String, (u64, String, u64)> = HashMap::new();
        let mut ended: HashMap<String, u32> = HashMap::new();
        for update in self.0 {
            let Some(message) = update["messageId"].as_str().map(str::to_owned) else { continue };
            match update["__typename"].as_str().unwrap_or_default() {
                "AgentStarted" => {
                    let epoch = update["epoch"].as_u64().expect("an epoch");
                    let before = open.insert(message, (epoch, String::new(), 0));
                    assert!(before.is_none_or(|before| before.0 < epoch), "epochs grow: {update}");
                }
                "ChunkProduced" => {
                    let entry =
                        open.get_mut(&message).unwrap_or_else(|| panic!("a chunk before its AgentStarted: {update}"));
                    assert_eq!(update["epoch"].as_u64(), Some(entry.0), "chunks are of the highest epoch: {update}");
                    assert_eq!(update["index"].as_u64(), Some(entry.2), "chunks have no gap: {update}");
                    entry.2 += 1;
                    entry.1.push_str(update["delta"].as_str().expect("a delta"));
                }
                "MessageCompleted" | "MessageFailed" => {
                    *ended.entry(message.clone()).or_default() += 1;
                    let (_, chunks, _) = open.remove(&message).unwrap_or_default();
                    assert_eq!(text(&update["text"]), chunks, "the text is that of the chunks: {update}");
                }
                _ => {}
            }
        }
        assert!(ended.values().all(|times| *times == 1), "every answer ends once: {ended:?}");
        assert!(open.is_empty(), "an answer has not ended: {:?}", open.keys());
    }

    /// Every acknowledged message is there once, under its id and with its text.
    ///
    /// # Panics
    /// One is missing or doubled.
    pub fn has(&self, acknowledged: &[(Sent, String)]) {
        let sent = self.0.iter().filter(|update| update["__typename"] == "MessageSent");
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for update in sent {
            found.entry(text(&update["messageId"])).or_default().push(text(&update["text"]));
        }
        for (sent, words) in acknowledged {
            assert_eq!(found.get(&sent.message), Some(&vec![words.clone()]), "an acknowledged message, once");
        }
    }

    /// How many updates of this type there are.
    #[must_use]
    pub fn count(&self, typename: &str) -> usize {
        self.0.iter().filter(|update| update["__typename"] == typename).count()
    }
}
