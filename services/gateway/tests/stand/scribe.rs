//! An agent's worker, moved by hand.
#![allow(dead_code, unreachable_pub, reason = "shared by several test files, each of which uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use chrono::{DateTime, TimeDelta, Utc};
use commands::rules::{
    BeginCall, CallEnd, ClaimRun, EndRun, EndTool, Limits, NewCall, NewToolCall, RequestTools, RunEnd, StartTool,
    StartTurn, ToolEnd,
};
use commands::{Cause, Commands, Outcome};
use event_log::{EventLog, NewChunk};
use events::event::{Approval, CallOutcome, ContextReference, Cost, PlanKind, PlannedRun, Said, Spent};
use events::{
    Actor, CallId, ChunkKind, ChunkProduced, ChunkSpan, ChunkTable, ConversationEvent, ConversationId, Decoded,
    EventId, Field, FinishReason, MessageId, RunId, Sealed, Sequence, TurnId, Usage,
};
use keyring::{ContentKey, Keyring};

/// What a worker works with.
#[derive(Clone)]
pub struct Tools {
    pub commands: Commands,
    pub keyring: Keyring,
    pub log: EventLog,
}

pub struct Scribe {
    tools: Tools,
    pub conversation: ConversationId,
    pub message: MessageId,
    pub run: RunId,
    pub turn: TurnId,
    key: ContentKey,
    epoch: u32,
    started: Sequence,
    started_at: DateTime<Utc>,
    call: Option<CallId>,
    cause: EventId,
    spans: Vec<ChunkSpan>,
    text: String,
    reasoning: String,
    calls: String,
    /// What of these the model calls said that have ended, in all epochs, and how many of them there are.
    said: (String, String, String),
    answered: u32,
    /// The last event of its own that it knows of.
    seen: Sequence,
}

impl Scribe {
    /// Plans a turn of so many runs for a message that Alice sent, all at the same time; nobody has claimed them yet.
    pub async fn team(
        tools: impl Into<Tools>,
        conversation: ConversationId,
        answers: MessageId,
        size: usize,
    ) -> Vec<Self> {
        let tools = tools.into();
        let state = tools.commands.load(conversation).await.unwrap().unwrap().state.clone();
        let turn = state.waiting.iter().find(|waiting| waiting.message == answers).unwrap().turn;
        let planned = |_| PlannedRun {
            run: RunId::generate(),
            message: MessageId::generate(),
            agent: "assistant".into(),
            model: None,
            instructions: None,
            after: Vec::new(),
            asked_by: None,
        };
        let runs: Vec<_> = (0..size).map(planned).collect();
        let mut scribes = Vec::new();
        for run in &runs {
            scribes.push(Self::of(tools.clone(), conversation, turn, run).await);
        }
        let reason = scribes[0].key.seal(&Field::new("default", conversation, turn, "reason"), "the only agent");
        let command = StartTurn { turn, kind: PlanKind::Fixed, runs, more: false, reason };
        tools.commands.react(conversation, command, reaction(scribes[0].cause)).await.unwrap();
        scribes
    }

    /// The run that a command of Alice's has planned.
    pub async fn planned(tools: impl Into<Tools>, conversation: ConversationId) -> Self {
        let tools = tools.into();
        let turn = tools.commands.load(conversation).await.unwrap().unwrap().state.turn.clone().unwrap();
        let run = &turn.runs[0];
        let (id, message, agent) = (run.run, run.message, run.agent.clone());
        let (model, instructions, after, asked_by) = (None, None, Vec::new(), None);
        let planned = PlannedRun { run: id, message, agent, model, instructions, after, asked_by };
        Self::of(tools, conversation, turn.turn, &planned).await
    }

    async fn of(tools: Tools, conversation: ConversationId, turn: TurnId, run: &PlannedRun) -> Self {
        let person = tools.keyring.person("default", "loquent", "alice").await.unwrap();
        let key = tools.keyring.content_key(person, conversation).await.unwrap();
        Self {
            tools,
            conversation,
            message: run.message,
            run: run.run,
            turn,
            key,
            epoch: 0,
            started: 0,
            started_at: Utc::now(),
            call: None,
            cause: EventId::generate(),
            spans: Vec::new(),
            text: String::new(),
            reasoning: String::new(),
            calls: String::new(),
            said: Default::default(),
            answered: 0,
            seen: 0,
        }
    }

    pub async fn plan(tools: impl Into<Tools>, conversation: ConversationId, answers: MessageId) -> Self {
        Self::team(tools, conversation, answers, 1).await.remove(0)
    }

    pub async fn begin(tools: impl Into<Tools>, conversation: ConversationId, answers: MessageId) -> Self {
        let mut scribe = Self::plan(tools, conversation, answers).await;
        scribe.claim().await;
        scribe
    }

    async fn react(&self, command: impl Into<commands::rules::Command>) -> Outcome {
        self.tools.commands.react(self.conversation, command, reaction(self.cause)).await.unwrap()
    }

    /// Goes on with other tools: those of a node that has started again.
    pub fn move_to(&mut self, tools: impl Into<Tools>) {
        self.tools = tools.into();
    }

    /// Takes the run, or takes it over: what was written before is forgotten, but for what ended calls said, which is said again.
    pub async fn claim(&mut self) {
        self.epoch += 1;
        let abandoned = self.ended(CallOutcome::Abandoned);
        let new = self.new_call();
        let outcome = self.react(ClaimRun { run: self.run, epoch: self.epoch, abandoned, call: new }).await;
        let is_start =
            |record: &&events::Record| matches!(record.event(), Ok(Decoded::Known(ConversationEvent::AgentStarted(_))));
        let record = outcome.records.iter().find(is_start).unwrap();
        (self.started, self.started_at, self.seen) = (record.sequence, record.time, record.sequence);
        (self.spans, self.text, self.reasoning, self.calls) = Default::default();
        let (text, reasoning, calls) = self.said.clone();
        for (kind, text) in [(ChunkKind::Reasoning, reasoning), (ChunkKind::Text, text), (ChunkKind::ToolCall, calls)] {
            if !text.is_empty() {
                self.produce(kind, &text).await;
            }
        }
    }

    /// Asks the model again, after its tools.
    pub async fn go_on(&mut self) {
        let call = self.new_call();
        let (run, epoch, answered) = (self.run, self.epoch, self.answered);
        self.seen = self.react(BeginCall { run, epoch, before: None, answered, call }).await.sequence();
    }

    fn new_call(&mut self) -> NewCall {
        let (profile, digest) = (String::from("p"), "00".into());
        let context = ContextReference { conversation: self.conversation, up_to: 1, profile, renderer: 1, digest };
        let call = CallId::generate();
        self.call = Some(call);
        NewCall {
            call,
            attempt: 1,
            model: "offline".into(),
            context,
            prompt_bytes: 1,
            reserved: None,
            limits: Limits { calls: u32::MAX, cost: None, tokens: None },
        }
    }

    fn ended(&mut self, outcome: CallOutcome) -> Option<CallEnd> {
        let call = self.call.take()?;
        Some(CallEnd { call, outcome, spent: spent(), cached: false })
    }

    fn seal(&self, name: &'static str, text: &str) -> Sealed {
        self.seal_of(self.message, name, text)
    }

    fn seal_of(&self, owner: impl std::fmt::Display, name: &'static str, text: &str) -> Sealed {
        self.key.seal(&Field::new("default", self.conversation, owner, name), text)
    }

    pub async fn think(&mut self, delta: &str) {
        self.produce(ChunkKind::Reasoning, delta).await;
    }

    pub async fn write(&mut self, delta: &str) {
        self.produce(ChunkKind::Text, delta).await;
    }

    /// A piece of what it wants a tool to get.
    pub async fn call_tool(&mut self, delta: &str) {
        self.produce(ChunkKind::ToolCall, delta).await;
    }

    async fn produce(&mut self, kind: ChunkKind, delta: &str) {
        let index = u32::try_from(self.spans.len()).unwrap();
        let field = Field::new("default", self.conversation, self.message, "delta").of_chunk(self.epoch, index);
        let delay_ms = 10 * u64::from(index);
        let data = ChunkProduced {
            message: self.message,
            run: self.run,
            epoch: self.epoch,
            index,
            kind,
            delta: self.key.seal(&field, delta),
            after: self.seen,
            delay_ms,
        };
        let chunk = NewChunk {
            conversation: self.conversation,
            tenant: "default".into(),
            actor: Actor::Agent("assistant".into()),
            correlation: self.cause,
            causation: self.cause,
            at: self.started_at + std::time::Duration::from_millis(delay_ms),
            data,
        };
        let after = self.tools.log.publish_chunk(chunk).await.unwrap();
        self.seen = after;
        self.spans.push(ChunkSpan { kind, bytes: u32::try_from(delta.len()).unwrap(), delay_ms, after });
        match kind {
            ChunkKind::Reasoning => self.reasoning += delta,
            ChunkKind::Text => self.text += delta,
            ChunkKind::ToolCall => self.calls += delta,
        }
    }

    /// The model wants a tool to run, after a person has said yes where `asks`.
    pub async fn want(&mut self, arguments: &str, asks: bool) -> CallId {
        let end = self.ended(CallOutcome::Completed).unwrap();
        let call = CallId::generate();
        let said = Said {
            text: self.seal_of(end.call, "text", &self.text[self.said.0.len()..]),
            reasoning: Some(self.seal_of(end.call, "reasoning", &self.reasoning[self.said.1.len()..])),
            calls: Some(self.seal_of(end.call, "calls", &self.calls[self.said.2.len()..])),
            chunks: self.seal_of(end.call, "chunks", &ChunkTable(self.spans.clone()).pack(self.started)),
        };
        let approval = if asks { Approval::Ask } else { Approval::Auto };
        let expires_at = Utc::now() + TimeDelta::hours(1);
        self.said = (self.text.clone(), self.reasoning.clone(), self.calls.clone());
        self.answered += 1;
        let (tool, arguments) = ("lookup".to_owned(), self.seal_of(call, "arguments", arguments));
        let wanted = NewToolCall {
            call,
            tool,
            arguments,
            writes: true,
            idempotent: false,
            approval,
            expires_at,
            impossible: None,
        };
        self.react(RequestTools { run: self.run, epoch: self.epoch, call: end, said, tools: vec![wanted] }).await;
        call
    }

    pub async fn take_tool(&self, call: CallId) {
        self.react(StartTool { call, epoch: 1 }).await;
    }

    pub async fn tool_gave(&self, call: CallId, result: &str) {
        let result = self.seal_of(call, "result", result);
        let end = ToolEnd::Completed { result, provenance: None, cached: false };
        self.react(EndTool { call, epoch: 1, end }).await;
    }

    pub async fn tool_failed(&self, call: CallId, error: &str) {
        let end = ToolEnd::Failed(self.seal_of(call, "error", error));
        self.react(EndTool { call, epoch: 1, end }).await;
    }

    pub async fn complete(&mut self) {
        self.end(RunEnd::Completed { finish_reason: FinishReason::Stop }, CallOutcome::Completed, "").await;
    }

    pub async fn fail(&mut self, why: &str) {
        let (reason, error) = (self.seal("reason", why), self.seal_of(self.run, "error", why));
        self.end(RunEnd::Failed { reason, error }, CallOutcome::Failed, why).await;
    }

    pub async fn stop(&mut self) {
        self.end(RunEnd::Stopped, CallOutcome::Stopped, "").await;
    }

    async fn end(&mut self, end: RunEnd, outcome: CallOutcome, why: &str) {
        let command = EndRun {
            run: self.run,
            epoch: self.epoch,
            call: self.ended(outcome),
            text: self.seal("text", &self.text),
            reasoning: Some(self.seal("reasoning", &self.reasoning)),
            calls: Some(self.seal("calls", &self.calls)),
            chunks: self.seal("chunks", &ChunkTable(self.spans.clone()).pack(self.started)),
            end,
            to_asker: None,
            turn_reason: self.seal_of(self.turn, "reason", why),
        };
        self.react(command).await;
    }
}

/// What each model call takes.
pub fn spent() -> Spent {
    let usage = Usage { input_tokens: 3, output_tokens: 2, ..Usage::default() };
    let cost = Cost { amount: "0.25".into(), currency: "EUR".into() };
    Spent { usage: Some(usage), cost: Some(cost), ..Spent::default() }
}

fn reaction(event: EventId) -> Cause {
    Cause { event, correlation: event, traceparent: None }
}
