//! Conversations for tests: their records, as commands would append them.

use chrono::{DateTime, TimeDelta, Utc};
use database::{Database, sql};
use event_store::{EventStore, NewEvent};
use events::event::*;
use events::record::Envelope;
use events::*;
use uuid::Uuid;

use crate::tables::{
    CONVERSATION, MESSAGE, RUN, StoredConversation, StoredMessage, StoredRun, StoredToolCall, StoredTurn, TOOL_CALL,
    TURN,
};
use crate::{MessageRow, RunRow, ToolCallRow, TurnRow};

mod random;
mod teams;

pub(crate) use teams::cost;

/// A conversation as it is being written.
pub(crate) struct Story {
    pub(crate) id: ConversationId,
    pub(crate) tenant: String,
    pub(crate) person: PersonId,
    pub(crate) records: Vec<Record>,
}

/// The ids of one run, its turn and its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) answer: MessageId,
    pub(crate) turn: TurnId,
    pub(crate) run: RunId,
}

pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed { v: 1, k: KeyId::from_uuid(Uuid::nil()), b: text.into() }
}

pub(crate) fn time(sequence: Sequence) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_000_000 * i64::try_from(sequence).unwrap() + 7)
}

pub(crate) fn spent() -> Spent {
    let usage = Usage { input_tokens: 1, output_tokens: 2, reasoning_tokens: 3, cached_tokens: 4 };
    Spent { usage: Some(usage), ..Spent::default() }
}

pub(crate) fn planned_run() -> PlannedRun {
    PlannedRun {
        run: RunId::generate(),
        message: MessageId::generate(),
        agent: "assistant".into(),
        model: None,
        instructions: None,
        after: Vec::new(),
        asked_by: None,
    }
}

pub(crate) fn plan(turn: TurnId, runs: Vec<PlannedRun>) -> TurnPlanned {
    TurnPlanned { turn, kind: PlanKind::Fixed, runs, more: false, reason: sealed("because") }
}

impl Story {
    /// Begun by a person, in a tenant.
    pub(crate) fn begin(person: PersonId, tenant: &str) -> Self {
        let id = ConversationId::generate();
        let mut story = Self { id, tenant: tenant.into(), person, records: Vec::new() };
        let agents = vec!["assistant".to_owned()];
        story.tell(ConversationStarted { starter: person, title: Some(sealed("title")), agents, metadata: None });
        story
    }

    pub(crate) fn new() -> Self {
        Self::begin(PersonId::generate(), "default")
    }

    /// The next event.
    pub(crate) fn tell(&mut self, event: impl Into<ConversationEvent>) -> Sequence {
        let sequence = self.records.len() as u64 + 1;
        let envelope = Envelope {
            id: EventId::generate(),
            subject: self.id,
            time: time(sequence),
            sequence,
            tenant: self.tenant.clone(),
            actor: Actor::Person(self.person),
            correlationid: EventId::generate(),
            causationid: None,
            prevhash: self.records.last().map_or(Record::NO_HASH.into(), |record| record.hash.clone()),
        };
        self.records.push(Record::new(envelope, &event.into()));
        sequence
    }

    /// An event that this build does not know, or whose data it cannot read.
    pub(crate) fn tell_data(&mut self, kind: &str, data: serde_json::Value) -> Sequence {
        let sequence = self.tell(ConversationArchived {});
        let record = self.records.last_mut().unwrap();
        record.kind = kind.into();
        record.data = data;
        record.hash = record.computed_hash();
        sequence
    }

    /// A message that nobody answers.
    pub(crate) fn say(&mut self, text: &str) -> MessageId {
        self.send(text, None, None)
    }

    pub(crate) fn send(&mut self, text: &str, turn: Option<TurnId>, steers: Option<TurnId>) -> MessageId {
        let message = MessageId::generate();
        self.tell(MessageSent {
            message,
            author: self.person,
            text: sealed(text),
            text_bytes: 4,
            turn,
            steers,
            message_type: None,
            metadata: Some(sealed("{}")),
            response_schema: None,
        });
        message
    }

    pub(crate) fn plan(&mut self, question: MessageId) -> Answered {
        self.plan_in(TurnId::generate(), question)
    }

    pub(crate) fn plan_in(&mut self, turn: TurnId, question: MessageId) -> Answered {
        let run = planned_run();
        let ids = Answered { answer: run.message, turn, run: run.run };
        self.tell(TurnStarted { turn, message: Some(question), person: self.person, regenerates: None });
        self.tell(plan(turn, vec![run]));
        ids
    }

    pub(crate) fn claim(&mut self, ids: Answered, epoch: u32) -> Sequence {
        let (run, turn, message, context) = (ids.run, ids.turn, ids.answer, self.context());
        self.tell(AgentStarted {
            run,
            turn,
            message,
            agent: "assistant".into(),
            model: "offline".into(),
            epoch,
            context,
        })
    }

    fn context(&self) -> ContextReference {
        let up_to = self.records.len() as u64;
        ContextReference { conversation: self.id, up_to, profile: "p".into(), renderer: 1, digest: "00".into() }
    }

    /// The run's model call ends so; all that it took.
    pub(crate) fn call_ends(&mut self, ids: Answered, outcome: CallOutcome, spent: Spent) {
        self.tell(ModelCallEnded { call: CallId::generate(), run: ids.run, outcome, spent, cached: false, said: None });
    }

    pub(crate) fn complete(&mut self, ids: Answered, epoch: u32, started: Sequence) {
        self.call_ends(ids, CallOutcome::Completed, spent());
        self.complete_run(ids, epoch, started, spent());
        self.tell(TurnCompleted { turn: ids.turn });
    }

    pub(crate) fn complete_run(&mut self, ids: Answered, epoch: u32, started: Sequence, spent: Spent) {
        self.tell(MessageCompleted {
            message: ids.answer,
            run: ids.run,
            epoch,
            started,
            text: sealed("answer"),
            reasoning: None,
            calls: None,
            chunks: sealed("chunks"),
            finish_reason: FinishReason::ContentFilter,
            spent: spent.clone(),
        });
        self.tell(AgentCompleted { run: ids.run, spent });
    }

    pub(crate) fn fail(&mut self, ids: Answered, epoch: u32, started: Sequence) {
        self.fail_run(ids, epoch, started);
        self.tell(TurnFailed { turn: ids.turn, reason: sealed("cut") });
    }

    pub(crate) fn fail_run(&mut self, ids: Answered, epoch: u32, started: Sequence) {
        self.tell(MessageFailed {
            message: ids.answer,
            run: ids.run,
            epoch,
            started,
            text: sealed("ans"),
            reasoning: None,
            calls: None,
            chunks: sealed("chunks"),
            reason: sealed("cut"),
            spent: Spent::default(),
        });
        self.tell(AgentFailed { run: ids.run, error: sealed("cut"), spent: Spent::default() });
    }

    /// Asks and gets an answer: eight events.
    pub(crate) fn ask(&mut self) -> Answered {
        let question = self.say("text");
        let ids = self.plan(question);
        let started = self.claim(ids, 1);
        self.complete(ids, 1, started);
        ids
    }

    /// Something of everything.
    pub(crate) fn eventful() -> Self {
        let mut story = Self::new();
        let guest = PersonId::generate();
        story.tell(ParticipantAdded { person: guest });
        story.ask();
        story.tell(ConversationRenamed { title: sealed("other") });
        let question = story.say("text");
        let ids = story.plan(question);
        story.claim(ids, 1);
        let started = story.claim(ids, 2);
        story.tell(ParticipantRemoved { person: guest });
        story.fail(ids, 2, started);
        let question = story.say("open");
        let open = story.plan(question);
        story.claim(open, 1);
        story.tell_data("dev.loquent.future.thing.v1", serde_json::json!({ "a": 1 }));
        story.act();
        story.tell(ConversationArchived {});
        story
    }

    pub(crate) async fn append(&self, store: &EventStore) {
        self.append_from(store, 0).await;
    }

    /// What comes after the event `after`.
    pub(crate) async fn append_from(&self, store: &EventStore, after: usize) {
        for records in self.records[after..].chunks(100) {
            let events =
                records.iter().map(|record| NewEvent { record: record.clone(), traceparent: None, idempotency: None });
            store.append(events.collect()).await.unwrap();
        }
    }
}

/// Everything that the tables hold, in an order of its own: two databases with equal rows give equal texts.
pub(crate) async fn dump(database: &Database) -> Vec<String> {
    async fn table<R: database::Row, T: std::fmt::Debug>(
        database: &Database,
        columns: &str,
        table: &str,
        typed: impl Fn(R) -> T,
    ) -> Vec<String> {
        let rows: Vec<R> =
            database.fetch_all(sql(format!("select {columns} from {table} order by 1, 2"))).await.unwrap();
        rows.into_iter().map(|row| format!("{table} {:?}", typed(row))).collect()
    }
    let mut all =
        table(database, CONVERSATION, "conversations", |row: StoredConversation| row.row(vec![]).unwrap()).await;
    let columns = "conversation, person, position";
    all.extend(table(database, columns, "participants", |row: (Uuid, Uuid, i64)| row).await);
    all.extend(table(database, MESSAGE, "messages", |row: StoredMessage| MessageRow::try_from(row).unwrap()).await);
    all.extend(table(database, TURN, "turns", |row: StoredTurn| TurnRow::try_from(row).unwrap()).await);
    all.extend(table(database, RUN, "runs", |row: StoredRun| RunRow::try_from(row).unwrap()).await);
    let tool_calls =
        table(database, TOOL_CALL, "tool_calls", |row: StoredToolCall| ToolCallRow::try_from(row).unwrap());
    all.extend(tool_calls.await);
    all
}
