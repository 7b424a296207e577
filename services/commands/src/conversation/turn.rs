//! A turn that has not ended: its steps, and how far each of them is.

use chrono::{DateTime, Utc};
use events::event::{Cost, ModelCallEnded, ModelCallStarted, PlannedRun, Spent, ToolCallRequested};
use events::{CallId, MessageId, PersonId, RunId, Sealed, Sequence, TurnId};
use serde::{Deserialize, Serialize};

use super::Waiting;

/// A turn that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The turn.
    pub turn: TurnId,
    /// The message that it answers; none where somebody started an agent.
    pub message: Option<MessageId>,
    /// Sequence of that message, where it waited for this turn.
    pub asked: Option<Sequence>,
    /// Whose message or wish began it.
    pub person: PersonId,
    /// Sequence of its `TurnStarted`.
    pub sequence: Sequence,
    /// The answer that this turn's takes the place of.
    pub regenerates: Option<MessageId>,
    /// Its steps in the order in which they were planned, those that have ended too.
    pub runs: Vec<Run>,
    /// Another plan follows when these have ended.
    pub more: bool,
    /// Somebody wants it to stop.
    pub stop: Option<Stop>,
    /// Messages that it reads at its next step.
    pub steering: Vec<Waiting>,
    /// Model calls so far.
    pub calls: u32,
    /// What they took.
    pub spent: Spent,
}

/// Somebody wants a turn to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Who.
    pub by: PersonId,
    /// Later prompts shall hold nothing of the turn.
    pub roll_back: bool,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It has not ended.
    Open,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It was stopped.
    Stopped,
}

/// A step of a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The run.
    pub run: RunId,
    /// The message that it writes.
    pub message: MessageId,
    /// The agent's name.
    pub agent: String,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Field `instructions` of the run, where they were given.
    pub instructions: Option<Sealed>,
    /// Runs that have to end first.
    pub after: Vec<RunId>,
    /// The tool call by which another agent asked for it.
    pub asked_by: Option<CallId>,
    /// The last attempt; 0: no worker has claimed it yet.
    pub epoch: u32,
    /// Sequence of that attempt's `AgentStarted`; 0: none.
    pub started: Sequence,
    /// Sequence of its `MessageCompleted`; 0: none.
    pub completed: Sequence,
    /// How far it is.
    pub stage: Stage,
    /// The model call that has not ended.
    pub open_call: Option<OpenCall>,
    /// Model calls after which it went on with tools.
    pub answered: u32,
    /// What the last of those wanted done, in its order.
    pub tools: Vec<ToolCall>,
    /// What all its model calls took that have ended.
    pub spent: Spent,
}

/// A model call that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCall {
    /// The call.
    pub call: CallId,
    /// Which request of the same question it is.
    pub attempt: u32,
    /// The model.
    pub model: String,
    /// Bytes of its prompt.
    pub prompt_bytes: u64,
    /// The most that it may cost.
    pub reserved: Option<Cost>,
}

/// How far a tool call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToolStage {
    /// A person has to decide, until then.
    Waiting(Option<DateTime<Utc>>),
    /// It may run.
    Ready,
    /// A worker runs it.
    Started,
    /// It is over.
    Ended,
}

/// Something that a model wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The call.
    pub call: CallId,
    /// The tool's name.
    pub tool: String,
    /// Sequence of its `ToolCallRequested`.
    pub requested: Sequence,
    /// It changes something outside.
    pub writes: bool,
    /// It may be repeated where nobody knows whether it took place.
    pub idempotent: bool,
    /// The last attempt; 0: none.
    pub epoch: u32,
    /// How far it is.
    pub stage: ToolStage,
}

impl Turn {
    /// Its runs that have not ended, in the plan's order.
    pub fn open_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.stage == Stage::Open)
    }

    /// The run that gives the turn's answer: the last that the plan itself named.
    #[must_use]
    pub fn last_step(&self) -> Option<&Run> {
        self.runs.iter().rev().find(|run| run.asked_by.is_none())
    }

    /// The tool call of this id, with its run, while the run has not ended.
    #[must_use]
    pub fn tool(&self, call: CallId) -> Option<(&Run, &ToolCall)> {
        self.open_runs().find_map(|run| Some((run, run.tools.iter().find(|tool| tool.call == call)?)))
    }

    /// Whether `run` is all that keeps the turn from ending.
    #[must_use]
    pub fn is_last_open(&self, run: RunId) -> bool {
        !self.more && self.open_runs().all(|open| open.run == run)
    }

    /// How many agents asked one another until this run was asked for; 0: the plan itself named it.
    #[must_use]
    pub fn depth(&self, run: &Run) -> usize {
        let mut depth = 0;
        let mut asked_by = run.asked_by;
        while let Some(call) = asked_by {
            depth += 1;
            let asker = self.runs.iter().find(|run| run.tools.iter().any(|tool| tool.call == call));
            asked_by = asker.and_then(|run| run.asked_by);
        }
        depth
    }

    pub(super) fn plan(&mut self, runs: Vec<PlannedRun>, more: bool) {
        self.more = more;
        self.runs.extend(runs.into_iter().map(Run::planned));
    }

    pub(super) fn run_mut(&mut self, run: RunId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|candidate| candidate.run == run)
    }

    pub(super) fn tool_mut(&mut self, call: CallId) -> Option<&mut ToolCall> {
        self.runs.iter_mut().flat_map(|run| &mut run.tools).find(|tool| tool.call == call)
    }

    pub(super) fn call_started(&mut self, event: ModelCallStarted) {
        self.calls = self.calls.saturating_add(1);
        // An agent that another one asked is shown the request alone.
        if self.runs.iter().any(|run| run.run == event.run && run.asked_by.is_none()) {
            self.steering.retain(|waiting| waiting.sequence > event.context.up_to);
        }
        if let Some(run) = self.run_mut(event.run) {
            run.tools.clear();
            run.open_call = Some(OpenCall::of(event));
        }
    }

    pub(super) fn call_ended(&mut self, event: &ModelCallEnded) {
        self.spent = self.spent.plus(&event.spent);
        if let Some(run) = self.run_mut(event.run) {
            run.spent = run.spent.plus(&event.spent);
            run.open_call = None;
            run.answered += u32::from(event.said.is_some());
        }
    }

    pub(super) fn tool_requested(&mut self, event: &ToolCallRequested, sequence: Sequence) {
        let stage = if event.needs_approval { ToolStage::Waiting(event.expires_at) } else { ToolStage::Ready };
        if let Some(run) = self.run_mut(event.run) {
            run.tools.push(ToolCall {
                call: event.call,
                tool: event.tool.clone(),
                requested: sequence,
                writes: event.writes,
                idempotent: event.idempotent,
                epoch: 0,
                stage,
            });
        }
    }
}

impl OpenCall {
    pub(super) fn of(event: ModelCallStarted) -> Self {
        let ModelCallStarted { call, attempt, model, prompt_bytes, reserved, .. } = event;
        Self { call, attempt, model, prompt_bytes, reserved }
    }
}

impl Run {
    fn planned(planned: PlannedRun) -> Self {
        Self {
            run: planned.run,
            message: planned.message,
            agent: planned.agent,
            model: planned.model,
            instructions: planned.instructions,
            after: planned.after,
            asked_by: planned.asked_by,
            epoch: 0,
            started: 0,
            completed: 0,
            stage: Stage::Open,
            open_call: None,
            answered: 0,
            tools: Vec::new(),
            spent: Spent::default(),
        }
    }

    /// It can go on only after a person's decision.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.tools.iter().any(|tool| matches!(tool.stage, ToolStage::Waiting(_)))
    }

    /// Tool calls have not ended that it wants the results of.
    #[must_use]
    pub fn awaits_tools(&self) -> bool {
        self.tools.iter().any(|tool| tool.stage != ToolStage::Ended)
    }
}
