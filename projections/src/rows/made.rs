//! Rows as the event leaves them that makes them.

use events::event::{MessageSent, PlannedRun, Spent, TurnStarted};
use events::{MessageId, PersonId, Record, TurnId};

use super::{Author, MessageRow, MessageStatus, Role, RunRow, RunStatus, TurnRow};

impl MessageRow {
    /// What a person sent: whole at once.
    #[must_use]
    pub fn sent(record: &Record, event: &MessageSent) -> Self {
        Self {
            text: Some(event.text.clone()),
            message_type: event.message_type.clone(),
            metadata: event.metadata.clone(),
            completed_at: Some(record.time),
            ..message(event.message, record, Author::Person(event.author))
        }
    }

    /// What a planned run will write; `position` is the run's place in this plan.
    #[must_use]
    pub fn planned(record: &Record, position: u32, run: &PlannedRun) -> Self {
        Self {
            position,
            role: Role::Assistant,
            status: MessageStatus::Streaming,
            run: Some(run.run),
            ..message(run.message, record, Author::Agent(run.agent.clone()))
        }
    }
}

impl MessageRow {
    /// The first answer to the question that this message answers: itself, where it was not asked again.
    #[must_use]
    pub fn first_answer(&self) -> MessageId {
        self.regenerates.unwrap_or(self.id)
    }
}

impl RunRow {
    /// A run that waits for a worker; `position` is its place in all plans of the turn.
    #[must_use]
    pub fn planned(record: &Record, turn: TurnId, position: u32, run: &PlannedRun) -> Self {
        Self {
            id: run.run,
            conversation: record.subject,
            turn,
            position,
            message: run.message,
            agent: run.agent.clone(),
            model: run.model.clone(),
            epoch: 0,
            status: RunStatus::Running,
            error: None,
            spent: Spent::default(),
            waits_for: run.after.clone(),
            asked_by: run.asked_by,
            started_at: record.time,
            ended_at: None,
        }
    }
}

impl TurnRow {
    /// A turn whose message was sent and waits for the turns before it.
    pub(crate) fn queued(record: &Record, turn: TurnId, event: &MessageSent) -> Self {
        let status = RunStatus::Queued;
        Self { status, message: Some(event.message), ..blank(record, turn, event.author) }
    }

    /// A turn that begins without having been in the queue.
    pub(crate) fn started(record: &Record, event: &TurnStarted) -> Self {
        Self { message: event.message, ..blank(record, event.turn, event.person) }
    }
}

fn message(id: MessageId, record: &Record, author: Author) -> MessageRow {
    MessageRow {
        id,
        conversation: record.subject,
        sequence: record.sequence,
        position: 0,
        role: Role::User,
        author,
        text: None,
        status: MessageStatus::Completed,
        message_type: None,
        metadata: None,
        run: None,
        epoch: 0,
        started: 0,
        created_at: record.time,
        completed_at: None,
        finish_reason: None,
        reason: None,
        spent: Spent::default(),
        regenerates: None,
    }
}

fn blank(record: &Record, id: TurnId, person: PersonId) -> TurnRow {
    TurnRow {
        id,
        conversation: record.subject,
        sequence: record.sequence,
        message: None,
        person,
        status: RunStatus::Running,
        reason: None,
        started_at: record.time,
        ended_at: None,
        plan_kind: None,
        plan_reason: None,
        more: false,
        answer: None,
        regenerates: None,
        rolled_back: false,
        spent: Spent::default(),
    }
}
