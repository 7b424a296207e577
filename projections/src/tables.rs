//! The rows as the database keeps them: reading them back, writing many at once, locking conversations.

mod load;
mod lock;
mod read;
mod stored;
mod words;
mod write;

use std::collections::BTreeSet;

use uuid::Uuid;

pub(crate) use load::load_touched;
pub(crate) use lock::lock;
pub(crate) use read::{conversations, participants, sequences};
pub(crate) use stored::{
    CONVERSATION, MESSAGE, RUN, StoredConversation, StoredMessage, StoredRun, StoredToolCall, StoredTurn, TOOL_CALL,
    TURN, position, signed,
};
pub(crate) use write::{delete, save};

/// The tables whose rows are parts of a conversation's row set, beside its own row.
pub(crate) const PARTS: [&str; 5] = ["participants", "messages", "turns", "runs", "tool_calls"];

/// Ids in one `in` list, or rows of one lock, at most.
const LIST: usize = 1024;

/// Ids for `in` lists, each once. A list is filled up to a power of two with its last id, so that the database has few different
/// statements to plan.
pub(crate) fn lists(ids: impl IntoIterator<Item = Uuid>) -> Vec<Vec<Uuid>> {
    let ids: Vec<Uuid> = ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    ids.chunks(LIST).map(filled_up).collect()
}

fn filled_up(ids: &[Uuid]) -> Vec<Uuid> {
    let mut list = ids.to_vec();
    if let Some(last) = ids.last() {
        list.resize(ids.len().next_power_of_two(), *last);
    }
    list
}

/// Splits off the first rows of a statement that changes them: as many as the largest power of two has, `most` at most.
fn piece<T>(rows: &[T], most: usize) -> (&[T], &[T]) {
    rows.split_at(1 << rows.len().clamp(1, most).ilog2())
}
