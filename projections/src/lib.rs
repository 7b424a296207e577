//! From the log to tables, and the questions asked of them.
//!
//! Five tables are one row set per conversation: conversations (with their participants), messages, turns, runs and tool calls. One pure
//! function folds a conversation's events into its rows; the live projector ([`run()`]) and the [`rebuild()`] from the store
//! both use it, so that both give the same rows. Sealed values are stored as they came: nothing here can open them. Nothing
//! here decides anything either: whoever needs the truth of this moment asks the store.

mod apply;
mod error;
mod fold;
mod page;
mod read_model;
mod rebuild;
mod rows;
mod run;
mod tables;
#[cfg(test)]
mod testing;

pub use error::{Error, Result};
pub use page::{Page, PageOf};
pub use read_model::{ReadModel, Whose};
pub use rebuild::{Progress, Rebuilt, rebuild};
pub use rows::{
    Author, ConversationRow, MessageRow, MessageStatus, Role, RunRow, RunStatus, ToolCallRow, ToolCallStatus, TurnRow,
};
pub use run::run;

/// The tables that can be rebuilt; they are one row set, so naming one of them rebuilds all.
pub const NAMES: [&str; 5] = ["conversations", "messages", "turns", "runs", "tool_calls"];
