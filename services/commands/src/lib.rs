//! Decides: what a person or an agent wants becomes events of a conversation, or is refused with a reason.
//!
//! Rules are pure: they know a conversation's state and a command that carries its ids, and no clock, no randomness, no
//! I/O. Dispatch around them loads, decides, appends at the expected sequence and decides again after a conflict. This
//! crate never sees the log: what it appends, the relay carries.
//!
//! * [`conversation`]: the state that rules need, and how events change it
//! * [`rules`]: one file per command: its facts, its rule, its tests
//! * [`requests`]: what persons ask in plain text; sealed here, before anything is decided
//! * [`catalog`]: which agents and models there are
//! * `dispatch`, `append`, `load`, `idempotency`: the way to the store and back
//! * `stamp`: the one place with a clock and randomness

mod append;
pub mod catalog;
pub mod conversation;
mod dispatch;
mod error;
mod idempotency;
mod load;
pub mod requests;
pub mod rules;
mod stamp;
#[cfg(test)]
mod tests;

pub use catalog::{AgentProfile, Catalog};
pub use conversation::{
    Answered, Conversation, OpenCall, Opening, Run, Stage, Stop, TITLE_CALLS, Titling, ToolCall, ToolStage, Turn,
    Waiting,
};
pub use dispatch::{Caller, Cause, Commands, Outcome};
pub use error::{Error, Refusal, Rejection};
pub use load::{Loaded, Waits};
pub use requests::{
    AddParticipant, ApproveToolCall, ArchiveConversation, ConfigureAgents, RegenerateMessage, RejectToolCall,
    RemoveParticipant, RenameConversation, SendMessage, StartAgent, StartConversation, StopTurn,
};

/// What this crate's functions answer.
pub type Result<T> = std::result::Result<T, Error>;
