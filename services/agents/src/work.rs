//! The work table: what is to be done, and who does it until when, by the database's clock.

mod table;
#[cfg(test)]
mod tests;

use uuid::Uuid;

use commands::Cause;
use events::ids::Id;
use events::{CallId, ConversationId, EventId, RunId, Sequence};

pub(crate) use table::{Lease, WorkTable};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    /// Look at a conversation's turns and take the next steps.
    Turn,
    /// Ask a model for this run, or end it.
    Run(RunId),
    /// Ask a model for the conversation's title.
    Title,
    /// Carry this tool call out.
    Tool(CallId),
}

/// What a worker is good for: each kind of task is one role's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// `turns`.
    Turn,
    /// `models`.
    Run,
    /// `models` too; counted apart, so that no answer waits for a title.
    Title,
    /// `tools`.
    Tool,
}

/// Something to be done, and the event that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) conversation: ConversationId,
    pub(crate) task: Task,
    /// The last event that the task was given for: one that comes later than it was taken calls for another look.
    pub(crate) sequence: Sequence,
    pub(crate) cause: EventId,
    pub(crate) correlation: EventId,
    pub(crate) traceparent: Option<String>,
    pub(crate) tenant: String,
}

/// Names a row.
pub(crate) type Key = (ConversationId, Task);

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Turn, Self::Run, Self::Title, Self::Tool];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Run => "run",
            Self::Title => "title",
            Self::Tool => "tool",
        }
    }
}

impl Task {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Turn => Kind::Turn,
            Self::Run(_) => Kind::Run,
            Self::Title => Kind::Title,
            Self::Tool(_) => Kind::Tool,
        }
    }
}

/// What stands in a row for a task of this conversation.
fn subject((conversation, task): Key) -> Uuid {
    match task {
        Task::Turn | Task::Title => conversation.uuid(),
        Task::Run(run) => run.uuid(),
        Task::Tool(call) => call.uuid(),
    }
}

fn key(conversation: Uuid, kind: &str, subject: Uuid) -> Option<Key> {
    let task = match kind {
        "turn" => Task::Turn,
        "run" => Task::Run(Id::from_uuid(subject)),
        "title" => Task::Title,
        "tool" => Task::Tool(Id::from_uuid(subject)),
        _ => return None,
    };
    Some((Id::from_uuid(conversation), task))
}

impl Work {
    pub(crate) fn key(&self) -> Key {
        (self.conversation, self.task)
    }

    pub(crate) fn cause(&self) -> Cause {
        Cause { event: self.cause, correlation: self.correlation, traceparent: self.traceparent.clone() }
    }

    /// Another task of the same conversation, for the same reason.
    pub(crate) fn also(&self, task: Task, sequence: Sequence) -> Self {
        Self { task, sequence, ..self.clone() }
    }
}
