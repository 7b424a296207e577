//! What a command decided, as rows: the read model may not have them yet.

use commands::Outcome;
use events::event::PlannedRun;
use events::{ConversationEvent, Decoded, Record, TurnId};
use projections::{Author, MessageRow, MessageStatus, Role, RunRow, RunStatus};

fn events(outcome: &Outcome) -> impl Iterator<Item = (&Record, ConversationEvent)> {
    outcome.records.iter().filter_map(|record| match record.event() {
        Ok(Decoded::Known(event)) => Some((record, event)),
        _ => None,
    })
}

/// The message that a person sent.
pub(super) fn sent(outcome: &Outcome) -> Option<MessageRow> {
    events(outcome).find_map(|(record, event)| match event {
        ConversationEvent::MessageSent(sent) => Some(MessageRow {
            id: sent.message,
            conversation: record.subject,
            sequence: record.sequence,
            position: 0,
            role: Role::User,
            author: Author::Person(sent.author),
            text: Some(sent.text),
            status: MessageStatus::Completed,
            message_type: sent.message_type,
            metadata: sent.metadata,
            run: None,
            epoch: 0,
            started: 0,
            created_at: record.time,
            completed_at: Some(record.time),
            finish_reason: None,
            reason: None,
            usage: None,
        }),
        _ => None,
    })
}

/// The first run of a plan, and the message that it will write.
pub(super) fn planned(outcome: &Outcome) -> Option<(RunRow, MessageRow)> {
    events(outcome).find_map(|(record, event)| match event {
        ConversationEvent::TurnPlanned(plan) => {
            let run = plan.runs.into_iter().next()?;
            Some((run_row(record, plan.turn, &run), message_row(record, run)))
        }
        _ => None,
    })
}

fn run_row(record: &Record, turn: TurnId, run: &PlannedRun) -> RunRow {
    RunRow {
        id: run.run,
        conversation: record.subject,
        turn,
        position: 0,
        message: run.message,
        agent: run.agent.clone(),
        model: run.model.clone(),
        epoch: 0,
        status: RunStatus::Running,
        error: None,
        usage: None,
        started_at: record.time,
        ended_at: None,
    }
}

fn message_row(record: &Record, run: PlannedRun) -> MessageRow {
    MessageRow {
        id: run.message,
        conversation: record.subject,
        sequence: record.sequence,
        position: 0,
        role: Role::Assistant,
        author: Author::Agent(run.agent),
        text: None,
        status: MessageStatus::Streaming,
        message_type: None,
        metadata: None,
        run: Some(run.run),
        epoch: 0,
        started: 0,
        created_at: record.time,
        completed_at: None,
        finish_reason: None,
        reason: None,
        usage: None,
    }
}
