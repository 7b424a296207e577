//! What is next in a turn: a pure function of what happened in it.

use chrono::{DateTime, Utc};

use commands::{Conversation, Run, ToolCall, ToolStage, Turn};
use events::{CallId, RunId};

/// Something that can be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask a model for this run, for the first time or with the results of its tools; or end it, where somebody stops the turn.
    Run(RunId),
    /// Carry a tool call out.
    Tool(CallId),
    /// Let another agent carry a tool call out.
    Ask(CallId),
    /// Nobody decided about a tool call in time.
    Expire(CallId),
    /// Plan what comes after the steps that have ended.
    Plan,
    /// End the turn: nothing is left to do, and nothing did it.
    End,
}

/// What can be done now, and when there may be more even if nothing happens.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) now: Vec<Step>,
    pub(super) again: Option<DateTime<Utc>>,
}

/// The next steps of a turn. Steps that don't depend on each other are next at the same time.
pub(super) fn next_steps(turn: &Turn, is_an_agent: &dyn Fn(&str) -> bool, at: DateTime<Utc>) -> Steps {
    let mut steps = Steps::default();
    if turn.open_runs().next().is_none() {
        steps.now.push(if turn.more && turn.stop.is_none() { Step::Plan } else { Step::End });
        return steps;
    }
    for run in turn.open_runs() {
        // Of what a worker has in hand its row is there already; should that be lost, this is another one.
        if turn.stop.is_some() || run.open_call.is_some() || may_ask(turn, run) {
            steps.now.push(Step::Run(run.run));
            continue;
        }
        for tool in &run.tools {
            match of_tool(tool, is_an_agent, at) {
                Ok(step) => steps.now.extend(step),
                Err(until) => steps.again = Some(steps.again.map_or(until, |again| again.min(until))),
            }
        }
    }
    steps
}

/// Whether a model is to be asked for a title. Where that is done already its row is there; should that be lost, this is
/// another one.
pub(super) fn wants_title(state: &Conversation) -> bool {
    state.titling.open_call.is_some() || state.lacks_title()
}

/// Whether a run can ask its model now: it has everything that it wants to know, and no call is open.
fn may_ask(turn: &Turn, run: &Run) -> bool {
    let waits_for = |step: &Run| run.after.contains(&step.run);
    match run.epoch {
        0 => !turn.open_runs().any(waits_for),
        _ => run.open_call.is_none() && !run.tools.is_empty() && !run.awaits_tools(),
    }
}

/// What can be done about a tool call, or until when a person may decide.
fn of_tool(
    tool: &ToolCall,
    is_an_agent: &dyn Fn(&str) -> bool,
    at: DateTime<Utc>,
) -> Result<Option<Step>, DateTime<Utc>> {
    match tool.stage {
        ToolStage::Ready if is_an_agent(&tool.tool) => Ok(Some(Step::Ask(tool.call))),
        ToolStage::Started if is_an_agent(&tool.tool) => Ok(None),
        ToolStage::Ready | ToolStage::Started => Ok(Some(Step::Tool(tool.call))),
        ToolStage::Waiting(Some(until)) if until <= at => Ok(Some(Step::Expire(tool.call))),
        ToolStage::Waiting(Some(until)) => Err(until),
        ToolStage::Waiting(None) | ToolStage::Ended => Ok(None),
    }
}

#[cfg(test)]
mod tests;
