//! A turn's plan, as JSON.

use events::RunId;
use events::event::{PlanKind, PlannedRun};
use projections::{RunRow, TurnRow};
use serde_json::{Value, json};

/// Who runs, and after whom.
struct Step<'s> {
    run: RunId,
    agent: &'s str,
    after: &'s [RunId],
}

/// The steps that one plan names.
pub(super) fn of_event(kind: PlanKind, runs: &[PlannedRun], more: bool) -> Value {
    plan(kind, runs.iter().map(|run| Step { run: run.run, agent: &run.agent, after: &run.after }), more)
}

/// All steps of a turn; who made its last plan, and whether another one follows.
pub(super) fn of_turn(turn: &TurnRow, runs: &[RunRow]) -> Option<Value> {
    let steps = runs.iter().map(|run| Step { run: run.id, agent: &run.agent, after: &run.waits_for });
    Some(plan(turn.plan_kind?, steps, turn.more))
}

fn plan<'s>(kind: PlanKind, steps: impl Iterator<Item = Step<'s>>, more: bool) -> Value {
    let steps: Vec<_> =
        steps.map(|step| json!({ "run": step.run, "agent": step.agent, "after": step.after })).collect();
    json!({ "kind": kind, "steps": steps, "more": more })
}
