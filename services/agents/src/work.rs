//! The work table: what is to be done, and who does it until when, by the database's clock.

mod table;
#[cfg(test)]
mod tests;

use uuid::Uuid;

use commands::Cause;
use events::{ConversationId, EventId, MessageId, RunId, Sequence};

pub(crate) use table::{Lease, WorkTable};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    /// Begin the turn that answers this message.
    Turn(MessageId),
    /// Carry this run out.
    Run(RunId),
}

/// Something to be done, and the event that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) conversation: ConversationId,
    pub(crate) task: Task,
    pub(crate) sequence: Sequence,
    pub(crate) cause: EventId,
    pub(crate) correlation: EventId,
    pub(crate) traceparent: Option<String>,
    pub(crate) tenant: String,
}

/// Names a row.
pub(crate) type Key = (ConversationId, Task);

impl Task {
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Turn(_) => "turn",
            Self::Run(_) => "run",
        }
    }

    pub(crate) fn subject(self) -> Uuid {
        match self {
            Self::Turn(message) => message.uuid(),
            Self::Run(run) => run.uuid(),
        }
    }
}

impl Work {
    pub(crate) fn key(&self) -> Key {
        (self.conversation, self.task)
    }

    pub(crate) fn cause(&self) -> Cause {
        Cause { event: self.cause, correlation: self.correlation, traceparent: self.traceparent.clone() }
    }
}
