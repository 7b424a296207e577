//! Events to append and chunks to publish.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use event_log::NewChunk;
use event_store::{EventStore, NewEvent};
use events::event::{AgentStarted, ContextReference, MessageFailed, Spent, TurnCompleted};
use events::record::Envelope;
use events::{
    Actor, ChunkKind, ChunkProduced, ConversationEvent, ConversationId, EventId, KeyId, MessageId, Record, RunId,
    Sealed, TurnId,
};

pub(crate) const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A conversation that grows.
pub(crate) struct Stream {
    store: EventStore,
    pub(crate) id: ConversationId,
    pub(crate) records: Vec<Record>,
    pub(crate) began: DateTime<Utc>,
}

impl Stream {
    pub(crate) fn new(store: &EventStore) -> Self {
        let began = Utc::now().trunc_subsecs(3);
        Self { store: store.clone(), id: ConversationId::generate(), records: Vec::new(), began }
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.records.len() as u64
    }

    fn envelope(&self, events: usize) -> Envelope {
        let id = EventId::generate();
        Envelope {
            id,
            subject: self.id,
            time: Utc::now(),
            sequence: self.sequence() + events as u64 + 1,
            tenant: "default".into(),
            actor: Actor::Agent("assistant".into()),
            correlationid: id,
            causationid: (events > 0).then_some(id),
            prevhash: self.records.last().map_or(Record::NO_HASH.into(), |record| record.hash.clone()),
        }
    }

    pub(crate) async fn append(&mut self, event: impl Into<ConversationEvent>) -> Record {
        let record = Record::new(self.envelope(0), &event.into());
        self.append_record(record).await
    }

    /// Appends what is no valid event of this build.
    pub(crate) async fn append_as(&mut self, kind: &str, data: serde_json::Value) -> Record {
        let mut record = Record::new(self.envelope(0), &completed().into());
        record.kind = kind.into();
        record.data = data;
        record.hash = record.computed_hash();
        self.append_record(record).await
    }

    async fn append_record(&mut self, record: Record) -> Record {
        let event = NewEvent { record: record.clone(), traceparent: Some(TRACE.into()), idempotency: None };
        self.store.append(vec![event]).await.expect("append");
        self.records.push(record.clone());
        record
    }

    pub(crate) async fn append_many(&mut self, count: usize) {
        for _ in 0..count {
            self.append(completed()).await;
        }
    }

    pub(crate) async fn start(&mut self, message: MessageId, epoch: u32) -> Record {
        let (up_to, profile, digest) = (self.sequence(), "p".into(), "d".into());
        let context = ContextReference { conversation: self.id, up_to, profile, renderer: 1, digest };
        let started = AgentStarted {
            run: RunId::generate(),
            turn: TurnId::generate(),
            message,
            agent: "assistant".into(),
            model: "offline".into(),
            epoch,
            context,
        };
        self.append(started).await
    }

    pub(crate) async fn fail(&mut self, message: MessageId) -> Record {
        let failed = MessageFailed {
            message,
            run: RunId::generate(),
            epoch: 1,
            started: 1,
            text: sealed("text"),
            reasoning: None,
            calls: None,
            chunks: sealed("chunks"),
            reason: sealed("reason"),
            spent: Spent::default(),
        };
        self.append(failed).await
    }

    pub(crate) fn chunk(&self, message: MessageId, epoch: u32, index: u32, after: u64) -> NewChunk {
        NewChunk {
            conversation: self.id,
            tenant: "default".into(),
            actor: Actor::Agent("assistant".into()),
            correlation: EventId::generate(),
            causation: EventId::generate(),
            at: self.began + TimeDelta::milliseconds(i64::from(index)),
            data: ChunkProduced {
                message,
                run: RunId::generate(),
                epoch,
                index,
                kind: ChunkKind::Text,
                delta: sealed(&format!("{index}")),
                after,
                delay_ms: u64::from(index),
            },
        }
    }
}

pub(crate) fn completed() -> TurnCompleted {
    TurnCompleted { turn: TurnId::generate() }
}

fn sealed(text: &str) -> Sealed {
    Sealed { v: 1, k: KeyId::generate(), b: text.into() }
}
