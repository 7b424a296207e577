//! An agent's worker, moved by hand.

use chrono::{DateTime, Utc};
use commands::Cause;
use commands::rules::{ClaimRun, CompleteRun, FailRun, StartTurn};
use event_log::NewChunk;
use events::event::{ContextReference, PlannedRun};
use events::{
    Actor, ChunkKind, ChunkProduced, ChunkSpan, ChunkTable, ConversationId, EventId, Field, FinishReason, MessageId,
    Record, RunId, Sealed, Sequence, TurnId,
};
use keyring::ContentKey;

use crate::node::Node;

pub(crate) struct Scribe<'n> {
    node: &'n Node,
    pub(crate) conversation: ConversationId,
    pub(crate) message: MessageId,
    pub(crate) run: RunId,
    turn: TurnId,
    key: ContentKey,
    epoch: u32,
    started: Sequence,
    started_at: DateTime<Utc>,
    cause: EventId,
    spans: Vec<ChunkSpan>,
    text: String,
    reasoning: String,
}

impl<'n> Scribe<'n> {
    /// Plans a turn for a message; nobody has claimed its run yet.
    pub(crate) async fn plan(node: &'n Node, conversation: ConversationId, answers: MessageId) -> Self {
        let (run, message, turn) = (RunId::generate(), MessageId::generate(), TurnId::generate());
        let person = node.caller("alice").await.person;
        let key = node.keyring.content_key(person, conversation).await.unwrap();
        let runs = vec![PlannedRun { run, message, agent: "assistant".into(), model: None, instructions: None }];
        let reason = key.seal(&Field::new("default", conversation, turn, "reason"), "the only agent");
        let cause = EventId::generate();
        let command = StartTurn { turn, message: answers, runs, reason };
        node.commands.start_turn(conversation, command, reaction(cause)).await.unwrap();
        let (spans, text, reasoning) = (Vec::new(), String::new(), String::new());
        let (epoch, started, started_at) = (0, 0, Utc::now());
        Self { node, conversation, message, run, turn, key, epoch, started, started_at, cause, spans, text, reasoning }
    }

    pub(crate) async fn begin(node: &'n Node, conversation: ConversationId, answers: MessageId) -> Self {
        let mut scribe = Self::plan(node, conversation, answers).await;
        scribe.claim().await;
        scribe
    }

    /// Takes the run, or takes it over: what was written before is forgotten.
    pub(crate) async fn claim(&mut self) {
        self.epoch += 1;
        let context = ContextReference { conversation: self.conversation, up_to: 1, renderer: 1, digest: "00".into() };
        let command = ClaimRun { run: self.run, epoch: self.epoch, model: "offline".into(), context };
        let outcome = self.node.commands.claim_run(self.conversation, command, reaction(self.cause)).await.unwrap();
        let record: &Record = outcome.records.last().unwrap();
        (self.started, self.started_at) = (record.sequence, record.time);
        (self.spans, self.text, self.reasoning) = (Vec::new(), String::new(), String::new());
    }

    fn seal(&self, name: &'static str, text: &str) -> Sealed {
        self.key.seal(&Field::new("default", self.conversation, self.message, name), text)
    }

    pub(crate) async fn think(&mut self, delta: &str) {
        self.produce(ChunkKind::Reasoning, delta).await;
    }

    pub(crate) async fn write(&mut self, delta: &str) {
        self.produce(ChunkKind::Text, delta).await;
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
            after: self.started,
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
        let after = self.node.log.publish_chunk(chunk).await.unwrap();
        self.spans.push(ChunkSpan { kind, bytes: u32::try_from(delta.len()).unwrap(), delay_ms, after });
        match kind {
            ChunkKind::Reasoning => self.reasoning += delta,
            ChunkKind::Text | ChunkKind::ToolCall => self.text += delta,
        }
    }

    pub(crate) async fn complete(&mut self) {
        let command = CompleteRun {
            run: self.run,
            epoch: self.epoch,
            text: self.seal("text", &self.text),
            reasoning: Some(self.seal("reasoning", &self.reasoning)),
            chunks: self.table(),
            finish_reason: FinishReason::Stop,
            usage: None,
        };
        self.node.commands.complete_run(self.conversation, command, reaction(self.cause)).await.unwrap();
    }

    pub(crate) async fn fail(&mut self, why: &str) {
        let command = FailRun {
            run: self.run,
            epoch: self.epoch,
            text: self.seal("text", &self.text),
            reasoning: None,
            chunks: self.table(),
            reason: self.seal("reason", why),
            error: self.key.seal(&Field::new("default", self.conversation, self.run, "error"), why),
            turn_reason: self.key.seal(&Field::new("default", self.conversation, self.turn, "reason"), why),
            usage: None,
        };
        self.node.commands.fail_run(self.conversation, command, reaction(self.cause)).await.unwrap();
    }

    fn table(&self) -> Sealed {
        self.seal("chunks", &ChunkTable(self.spans.clone()).pack(self.started))
    }
}

fn reaction(event: EventId) -> Cause {
    Cause { event, correlation: event, traceparent: None }
}
