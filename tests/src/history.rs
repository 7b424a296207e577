//! What must hold of everything that a person has seen of a conversation from its beginning.

use std::collections::{BTreeMap, HashMap};

use events::Cursor;
use serde_json::Value;

use crate::client::{Sent, is_end, text};

/// A conversation's updates, with chunks, from its beginning to a moment of rest.
pub struct History<'u>(pub &'u [Value]);

/// A message in flight, as its reader knows it.
#[derive(Debug, Default)]
struct Open {
    epoch: u64,
    text: String,
    chunks: u64,
}

impl<'u> History<'u> {
    /// Nothing is missing or doubled; chunks count from 0 and come before their message's end; every answer ends once, with the
    /// text of its chunks.
    ///
    /// # Panics
    /// One of these does not hold.
    pub fn check(&self) {
        self.gaps_are_of_hidden_events();
        self.answers_end_once_with_the_text_of_their_chunks();
    }

    /// Events that are not shown stand next to one that is. Only a model call that begins after tools, one that is tried again
    /// and a wish to stop stand alone: as many as there may be of these may be missing somewhere.
    fn gaps_are_of_hidden_events(&self) {
        let (mut last, mut place, mut alone) = (None::<&Value>, 0, 0);
        for update in self.0 {
            let cursor: Cursor = text(&update["cursor"]).parse().expect("a cursor");
            let since = last.map_or(0, sequence);
            if kind(update) == "ChunkProduced" {
                assert!(cursor.sequence >= place, "a chunk belongs to the event before it: {update}");
                place = cursor.sequence;
                continue;
            }
            assert!(cursor.sequence > place, "chunks come before the event that follows them: {update}");
            let between = cursor.sequence - since - 1;
            let (least, most) = last.map_or((0, 0), |last| hidden(last, update));
            assert!(between >= least, "events have no double: {last:?}, {update}");
            alone += between.saturating_sub(most);
            (last, place) = (Some(update), cursor.sequence);
        }
        assert!(alone <= self.may_stand_alone(), "{alone} event(s) are missing: {:?}", self.kinds());
    }

    /// The most hidden events that there can be away from all that are shown.
    fn may_stand_alone(&self) -> u64 {
        let of = |update: &Value| match kind(update) {
            "ToolCallCompleted" | "ToolCallFailed" | "ToolCallUncertain" | "ToolCallRejected" => 1,
            "TurnStopped" => 1,
            // A model was asked for the title, perhaps twice: one end stands just before it.
            "ConversationRenamed" => 3,
            // Two more tries, each with the end of the one before; or a budget that ends it after tools.
            "MessageFailed" => 4,
            _ => 0,
        };
        self.0.iter().map(of).sum()
    }

    fn answers_end_once_with_the_text_of_their_chunks(&self) {
        let mut open: HashMap<String, Open> = HashMap::new();
        let mut ended: HashMap<String, u32> = HashMap::new();
        for update in self.0 {
            let Some(message) = update["messageId"].as_str().map(str::to_owned) else { continue };
            match kind(update) {
                "AgentStarted" => {
                    let epoch = update["epoch"].as_u64().expect("an epoch");
                    let before = open.insert(message, Open { epoch, ..Open::default() });
                    assert!(before.is_none_or(|before| before.epoch < epoch), "epochs grow: {update}");
                }
                "ChunkProduced" => {
                    let entry =
                        open.get_mut(&message).unwrap_or_else(|| panic!("a chunk before its AgentStarted: {update}"));
                    assert_eq!(
                        update["epoch"].as_u64(),
                        Some(entry.epoch),
                        "chunks are of the highest epoch: {update}"
                    );
                    assert_eq!(update["index"].as_u64(), Some(entry.chunks), "chunks have no gap: {update}");
                    entry.chunks += 1;
                    if update["kind"] == "TEXT" {
                        entry.text.push_str(update["delta"].as_str().expect("a delta"));
                    }
                }
                _ if is_end(update) => {
                    *ended.entry(message.clone()).or_default() += 1;
                    let chunks = open.remove(&message).unwrap_or_default();
                    assert_eq!(text(&update["text"]), chunks.text, "the text is that of the chunks: {update}");
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
        self.of(typename).count()
    }

    /// The updates of this type.
    pub fn of(&self, typename: &str) -> impl Iterator<Item = &'u Value> {
        self.0.iter().filter(move |update| update["__typename"] == typename)
    }

    /// The last update of this type.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn last(&self, typename: &str) -> &'u Value {
        self.of(typename).last().unwrap_or_else(|| panic!("a {typename} among {:?}", self.kinds()))
    }

    /// The types of all events in their order.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'u str> {
        self.0.iter().map(kind).filter(|kind| *kind != "ChunkProduced").collect()
    }
}

fn kind(update: &Value) -> &str {
    update["__typename"].as_str().unwrap_or_default()
}

fn sequence(update: &Value) -> u64 {
    text(&update["cursor"]).parse::<Cursor>().expect("a cursor").sequence
}

/// How many hidden events stand between two that are shown, at least and at most: a claim begins a model call, the end of a
/// message ends that call and its run (not where it was stopped), a takeover ends the dead worker's call, the
/// first tool call of several the call that wanted it.
fn hidden(before: &Value, after: &Value) -> (u64, u64) {
    let (least, most) = match kind(before) {
        "AgentStarted" => (1, 1),
        "MessageCompleted" => (2, 2),
        "MessageFailed" => (1, 2),
        "MessageStopped" => (0, 1),
        _ => (0, 0),
    };
    match kind(after) {
        "AgentStarted" | "ToolCallRequested" | "ConversationRenamed" => (least, most + 1),
        _ => (least, most),
    }
}
