//! What a command decided, as rows: the read model may not have them yet.

use commands::Outcome;
use events::{ConversationEvent, Decoded, Record, TurnId};
use projections::{MessageRow, RunRow};

fn events(outcome: &Outcome) -> impl Iterator<Item = (&Record, ConversationEvent)> {
    outcome.records.iter().filter_map(|record| match record.event() {
        Ok(Decoded::Known(event)) => Some((record, event)),
        _ => None,
    })
}

/// The message that a person sent.
pub(super) fn sent(outcome: &Outcome) -> Option<MessageRow> {
    events(outcome).find_map(|(record, event)| match event {
        ConversationEvent::MessageSent(sent) => Some(MessageRow::sent(record, &sent)),
        _ => None,
    })
}

/// The first run of a plan, and the message that it will write.
pub(super) fn planned(outcome: &Outcome) -> Option<(RunRow, MessageRow)> {
    events(outcome).find_map(|(record, event)| match event {
        ConversationEvent::TurnPlanned(plan) => {
            let run = plan.runs.first()?;
            Some((RunRow::planned(record, plan.turn, 0, run), MessageRow::planned(record, 0, run)))
        }
        _ => None,
    })
}

/// The turn that ends, or will.
pub(super) fn stopped(outcome: &Outcome) -> Option<TurnId> {
    events(outcome).find_map(|(_, event)| match event {
        ConversationEvent::StopRequested(stop) => Some(stop.turn),
        ConversationEvent::TurnStopped(stopped) => Some(stopped.turn),
        _ => None,
    })
}
