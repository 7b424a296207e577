//! Turns, their runs, and the tool calls of those: how each follows from the others.

use events::event::{AgentStarted, ModelCallEnded, PlanKind, ToolCallRequested, TurnPlanned, TurnStarted, TurnStopped};
use events::{CallId, ConversationEvent, MessageId, Record, RunId, Sealed, TurnId};

use super::RowSet;
use crate::rows::{MessageRow, RunRow, RunStatus, ToolCallRow, ToolCallStatus, TurnRow};

impl RowSet {
    /// A turn from the queue keeps its place.
    pub(super) fn turn_started(&mut self, record: &Record, event: &TurnStarted) {
        if self.turns.get(event.turn).is_none() {
            self.turns.put(event.turn, TurnRow::started(record, event));
        }
        let first = event.regenerates.map(|answer| self.first_answer(answer));
        self.turns.change(event.turn, |row| {
            row.status = RunStatus::Running;
            row.message = event.message;
            row.person = event.person;
            row.started_at = record.time;
            row.regenerates = first;
        });
    }

    /// The first answer to the question that this message answers.
    fn first_answer(&self, answer: MessageId) -> MessageId {
        self.messages.get(answer).map_or(answer, MessageRow::first_answer)
    }

    /// Runs and the messages that they will write are there from now on, so that nobody has to guess what is to come.
    pub(super) fn planned(&mut self, record: &Record, event: &TurnPlanned) {
        let planned_before = self.runs_of(event.turn).count();
        let first_position = u32::try_from(planned_before).unwrap_or(u32::MAX);
        let regenerates = self.turns.get(event.turn).and_then(|row| row.regenerates);
        for (place, planned) in (0..).zip(&event.runs) {
            let run = RunRow::planned(record, event.turn, first_position.saturating_add(place), planned);
            let regenerates = regenerates.filter(|_| planned.asked_by.is_none());
            let message = MessageRow { regenerates, ..MessageRow::planned(record, place, planned) };
            self.runs.put(run.id, run);
            self.messages.put(message.id, message);
        }
        let last_step = event.runs.iter().rev().find(|run| run.asked_by.is_none());
        self.turns.change(event.turn, |row| {
            if let Some(step) = last_step {
                row.answer = Some(step.message);
            }
            if event.kind != PlanKind::Asked {
                row.plan_kind = Some(event.kind);
                row.plan_reason = Some(event.reason.clone());
            }
            row.more = event.more;
        });
        self.settle_turn(event.turn);
    }

    pub(super) fn claimed(&mut self, record: &Record, event: &AgentStarted) {
        self.runs.change(event.run, |row| {
            row.epoch = event.epoch;
            row.model = Some(event.model.clone());
            row.started_at = record.time;
        });
        self.messages.change(event.message, |row| {
            row.epoch = event.epoch;
            row.started = record.sequence;
        });
    }

    /// Counted when it ends, so that the sums are right whenever somebody asks.
    pub(super) fn call_ended(&mut self, event: &ModelCallEnded) {
        self.runs.change(event.run, |row| row.spent = row.spent.plus(&event.spent));
        if let Some(turn) = self.turn_of(event.run) {
            self.turns.change(turn, |row| row.spent = row.spent.plus(&event.spent));
        }
        self.change(|row| row.spent = row.spent.plus(&event.spent));
    }

    pub(super) fn end_run(&mut self, run: RunId, record: &Record, status: RunStatus, error: Option<&Sealed>) {
        self.runs.change(run, |row| {
            row.status = status;
            row.error = error.cloned();
            row.ended_at = Some(record.time);
        });
        self.cancel(record, |call| call.run == run);
        if let Some(turn) = self.turn_of(run) {
            self.settle_turn(turn);
        }
    }

    pub(super) fn end_turn(&mut self, turn: TurnId, record: &Record, status: RunStatus, reason: Option<&Sealed>) {
        self.turns.change(turn, |row| {
            row.status = status;
            row.reason = reason.cloned();
            row.ended_at = Some(record.time);
        });
        self.cancel(record, |call| call.turn == turn);
    }

    pub(super) fn turn_stopped(&mut self, record: &Record, event: &TurnStopped) {
        self.end_turn(event.turn, record, RunStatus::Stopped, None);
        self.turns.change(event.turn, |row| row.rolled_back = event.rolled_back);
    }

    pub(super) fn tool_requested(&mut self, record: &Record, event: &ToolCallRequested) {
        let Some(turn) = self.turn_of(event.run) else { return };
        self.tool_calls.put(event.call, ToolCallRow::requested(record, turn, event));
        self.settle_turn(turn);
    }

    /// What happened to a tool call that was requested before.
    pub(super) fn tool_changed(&mut self, call: CallId, record: &Record, event: &ConversationEvent) {
        self.tool_calls.change(call, |row| row.follow(record, event));
        if let Some(turn) = self.tool_calls.get(call).map(|row| row.turn) {
            self.settle_turn(turn);
        }
    }

    /// What has not ended ends with that which it is a part of.
    fn cancel(&mut self, record: &Record, which: impl Fn(&ToolCallRow) -> bool) {
        let open = |call: &ToolCallRow| call.ended_at.is_none() && which(call);
        self.tool_calls.change_all(open, |call| call.end(record, ToolCallStatus::Cancelled));
    }

    /// Says of each run of a turn, and of the turn, whether it is queued, runs or waits for a person.
    fn settle_turn(&mut self, turn: TurnId) {
        let open = |row: &&RunRow| row.status.is_open();
        let settled: Vec<_> = self.runs_of(turn).filter(open).map(|row| (row.id, self.run_status(row))).collect();
        let some = |wanted| settled.iter().any(|(_, status)| *status == wanted);
        let waits = some(RunStatus::Waiting) && !some(RunStatus::Running);
        let of_turn = if waits { RunStatus::Waiting } else { RunStatus::Running };
        for (run, status) in settled {
            if self.runs.get(run).is_some_and(|row| row.status != status) {
                self.runs.change(run, |row| row.status = status);
            }
        }
        if self.turns.get(turn).is_some_and(|row| row.status.is_open() && row.status != of_turn) {
            self.turns.change(turn, |row| row.status = of_turn);
        }
    }

    /// Of a run that has not ended.
    fn run_status(&self, run: &RunRow) -> RunStatus {
        let is_open = |id: &RunId| self.runs.get(*id).is_some_and(|row| row.status.is_open());
        if run.epoch == 0 && run.waits_for.iter().any(is_open) {
            return RunStatus::Queued;
        }
        let waits = |call: &&ToolCallRow| call.run == run.id && call.status == ToolCallStatus::Waiting;
        if self.tool_calls.rows.values().any(|call| waits(&call)) { RunStatus::Waiting } else { RunStatus::Running }
    }

    fn runs_of(&self, turn: TurnId) -> impl Iterator<Item = &RunRow> {
        self.runs.rows.values().filter(move |row| row.turn == turn)
    }

    fn turn_of(&self, run: RunId) -> Option<TurnId> {
        self.runs.get(run).map(|row| row.turn)
    }
}

#[cfg(test)]
mod tests;
