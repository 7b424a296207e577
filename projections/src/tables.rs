//! The rows as the database keeps them: reading them back, writing many at once, locking conversations.

mod lock;
mod read;
mod stored;
mod write;

pub(crate) use lock::lock;
pub(crate) use read::{conversations, load_touched, participants, sequences};
pub(crate) use stored::{
    CONVERSATION, MESSAGE, RUN, StoredConversation, StoredMessage, StoredRun, StoredTurn, TURN, position, signed,
};
pub(crate) use write::{delete, save};

/// Ids in one `in` list at most.
const LIST: usize = 1000;
