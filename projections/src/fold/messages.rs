//! How a message ends.

use events::Record;
use events::event::{MessageCompleted, MessageFailed, MessageStopped};

use crate::rows::{MessageRow, MessageStatus};

pub(super) fn completed(row: &mut MessageRow, record: &Record, event: &MessageCompleted) {
    row.status = MessageStatus::Completed;
    row.text = Some(event.text.clone());
    row.epoch = event.epoch;
    row.started = event.started;
    row.completed_at = Some(record.time);
    row.finish_reason = Some(event.finish_reason);
    row.spent = event.spent.clone();
}

pub(super) fn failed(row: &mut MessageRow, record: &Record, event: &MessageFailed) {
    row.status = MessageStatus::Failed;
    row.text = Some(event.text.clone());
    row.epoch = event.epoch;
    row.started = event.started;
    row.completed_at = Some(record.time);
    row.reason = Some(event.reason.clone());
    row.spent = event.spent.clone();
}

pub(super) fn stopped(row: &mut MessageRow, record: &Record, event: &MessageStopped) {
    row.status = MessageStatus::Stopped;
    row.text = Some(event.text.clone());
    row.epoch = event.epoch;
    row.started = event.started;
    row.completed_at = Some(record.time);
    row.spent = event.spent.clone();
}
