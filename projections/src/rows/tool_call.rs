//! A tool call: from a model's wish to what came of it.

use chrono::{DateTime, Utc};
use events::event::{RejectionCause, ToolCallRequested};
use events::{CallId, ConversationEvent, ConversationId, PersonId, Record, RunId, Sealed, Sequence, TurnId};

/// How far a tool call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolCallStatus {
    /// It may run, and waits for a worker.
    Requested,
    /// A person has to decide.
    Waiting,
    /// A worker runs it.
    Running,
    /// It gave a result.
    Completed,
    /// It did not work.
    Failed,
    /// A person, or the settings, said no.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// Its run ended before it did.
    Cancelled,
    /// It began, it changes something outside, and nobody knows whether it took place.
    Uncertain,
}

/// Something that a model wants done. Calls of a run are in the order of `sequence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCallRow {
    /// The call.
    pub id: CallId,
    /// Where it stands.
    pub conversation: ConversationId,
    /// The turn of its run.
    pub turn: TurnId,
    /// The run that asks.
    pub run: RunId,
    /// Sequence of its `ToolCallRequested`.
    pub sequence: Sequence,
    /// The tool's name.
    pub tool: String,
    /// Field `arguments` of the call.
    pub arguments: Sealed,
    /// Field `edited` of the call: the arguments that a person wanted instead.
    pub edited: Option<Sealed>,
    /// How far it is.
    pub status: ToolCallStatus,
    /// Attempt number; 0 while it waits for a worker.
    pub epoch: u32,
    /// Who decided about it.
    pub decided_by: Option<PersonId>,
    /// Field `reason` of the call: why a person said no.
    pub reason: Option<Sealed>,
    /// Field `result` of the call.
    pub result: Option<Sealed>,
    /// Field `error` of the call.
    pub error: Option<Sealed>,
    /// The result came from our own cache.
    pub cached: bool,
    /// When the model asked for it.
    pub requested_at: DateTime<Utc>,
    /// Until when a person may decide.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it ended, whichever way.
    pub ended_at: Option<DateTime<Utc>>,
}

impl ToolCallRow {
    pub(crate) fn requested(record: &Record, turn: TurnId, event: &ToolCallRequested) -> Self {
        let status = if event.needs_approval { ToolCallStatus::Waiting } else { ToolCallStatus::Requested };
        Self {
            id: event.call,
            conversation: record.subject,
            turn,
            run: event.run,
            sequence: record.sequence,
            tool: event.tool.clone(),
            arguments: event.arguments.clone(),
            edited: None,
            status,
            epoch: 0,
            decided_by: None,
            reason: None,
            result: None,
            error: None,
            cached: false,
            requested_at: record.time,
            expires_at: event.expires_at,
            ended_at: None,
        }
    }

    /// The call after an event about it; other events change nothing.
    pub fn follow(&mut self, record: &Record, event: &ConversationEvent) {
        use ConversationEvent as E;
        match event {
            E::ToolCallApproved(event) if event.call == self.id => {
                self.status = ToolCallStatus::Requested;
                self.decided_by = Some(event.by);
                self.edited.clone_from(&event.edited);
            }
            E::ToolCallRejected(event) if event.call == self.id => {
                self.decided_by = event.by;
                self.reason.clone_from(&event.reason);
                self.end(record, rejected(event.cause));
            }
            E::ToolCallStarted(event) if event.call == self.id => {
                self.status = ToolCallStatus::Running;
                self.epoch = event.epoch;
            }
            E::ToolCallCompleted(event) if event.call == self.id => {
                self.result = Some(event.result.clone());
                self.cached = event.cached;
                self.end(record, ToolCallStatus::Completed);
            }
            E::ToolCallFailed(event) if event.call == self.id => {
                self.error = Some(event.error.clone());
                self.end(record, ToolCallStatus::Failed);
            }
            E::ToolCallUncertain(event) if event.call == self.id => {
                self.error.clone_from(&event.error);
                self.end(record, ToolCallStatus::Uncertain);
            }
            _ => {}
        }
    }

    pub(crate) fn end(&mut self, record: &Record, status: ToolCallStatus) {
        self.status = status;
        self.ended_at = Some(record.time);
    }
}

fn rejected(cause: RejectionCause) -> ToolCallStatus {
    match cause {
        RejectionCause::Person | RejectionCause::Denied => ToolCallStatus::Rejected,
        RejectionCause::Expired => ToolCallStatus::Expired,
    }
}
