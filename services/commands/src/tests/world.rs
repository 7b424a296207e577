//! A store with persons, and what the tests ask of them.

use std::sync::Arc;

use chrono::Utc;
use database::testing::TestDatabase;
use event_store::EventStore;
use events::event::{CallOutcome, PlanKind, Spent};
use events::{
    CallId, ConversationEvent, ConversationId, Decoded, EventId, FinishReason, MessageId, Record, RunId, Sealed, TurnId,
};
use keyring::{Keyring, MasterKey};

use crate::rules::{CallEnd, ClaimRun, EndRun, NewCall, RunEnd, StartTurn};
use crate::{Caller, Catalog, Cause, Commands, Error, Loaded, Outcome, Result, SendMessage, StartConversation};

/// One store, seen by two processes.
pub(crate) struct World {
    pub(crate) here: Commands,
    pub(crate) there: Commands,
    pub(crate) store: EventStore,
    pub(crate) keyring: Keyring,
    pub(crate) alice: Caller,
    pub(crate) bob: Caller,
    pub(crate) database: TestDatabase,
}

/// One on every engine that is at hand.
pub(crate) async fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for database in database::testing::databases().await {
        worlds.push(World::new(database).await);
    }
    worlds
}

impl World {
    async fn new(database: TestDatabase) -> Self {
        let store = EventStore::new(database.database.clone()).await.expect("store");
        let keyring = Keyring::new(database.database.clone(), MasterKey::generate());
        let commands = || Commands::new(store.clone(), keyring.clone(), Arc::new(Catalog::built_in("offline")));
        let (here, there) = (commands(), commands());
        let alice = caller(&keyring, "default", "alice").await;
        let bob = caller(&keyring, "default", "bob").await;
        Self { here, there, store, keyring, alice, bob, database }
    }

    /// As a process that was just started.
    pub(crate) fn restarted(&self) -> Commands {
        Commands::new(self.store.clone(), self.keyring.clone(), Arc::new(Catalog::built_in("offline")))
    }

    /// Alice's conversation.
    pub(crate) async fn conversation(&self, agents: &[&str]) -> ConversationId {
        let agents = Some(agents.iter().map(|&name| name.into()).collect());
        let input = StartConversation { agents, ..StartConversation::default() };
        self.here.start_conversation(&self.alice, input).await.expect("started").loaded.id
    }

    /// Every event of the conversation; its chain is sound.
    pub(crate) async fn stream(&self, id: ConversationId) -> Vec<Record> {
        let records = self.store.load(id, 0, 10_000).await.expect("stream");
        let mut before = None;
        for record in &records {
            record.verify(before).expect("chain");
            before = Some(record);
        }
        records
    }
}

pub(crate) async fn caller(keyring: &Keyring, tenant: &str, subject: &str) -> Caller {
    let issuer = "https://issuer.example".to_owned();
    let person = keyring.person(tenant, &issuer, subject).await.expect("person");
    Caller { tenant: tenant.into(), person, issuer, idempotency_key: None, traceparent: None }
}

pub(crate) fn keyed(caller: &Caller, key: &str) -> Caller {
    Caller { idempotency_key: Some(key.into()), ..caller.clone() }
}

pub(crate) fn text(conversation: impl Into<Option<ConversationId>>, text: &str) -> SendMessage {
    SendMessage { conversation: conversation.into(), text: text.into(), ..SendMessage::default() }
}

pub(crate) fn event(record: &Record) -> ConversationEvent {
    match record.event() {
        Ok(Decoded::Known(event)) => event,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn names(records: &[Record]) -> Vec<&'static str> {
    records.iter().map(|record| event(record).name()).collect()
}

pub(crate) fn ids(outcome: &Outcome) -> Vec<EventId> {
    outcome.records.iter().map(|record| record.id).collect()
}

pub(crate) fn rejection(result: Result<Outcome>) -> &'static str {
    match result {
        Err(Error::Rejected(rejection)) => rejection.code,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn sealed() -> Sealed {
    super::fixtures::sealed("made by a worker")
}

pub(crate) fn cause(record: &Record) -> Cause {
    Cause { event: record.id, correlation: record.correlationid, traceparent: None }
}

pub(crate) fn turn_for(turn: TurnId) -> StartTurn {
    let run = events::event::PlannedRun {
        run: RunId::generate(),
        message: MessageId::generate(),
        ..super::fixtures::planned_run(1)
    };
    StartTurn { turn, kind: PlanKind::Fixed, runs: vec![run], more: false, reason: sealed() }
}

pub(crate) fn claim_of(loaded: &Loaded, epoch: u32) -> ClaimRun {
    let call = NewCall { call: CallId::generate(), ..super::fixtures::new_call(super::fixtures::call(1, 1)) };
    ClaimRun { run: the_run(loaded), epoch, abandoned: None, call }
}

pub(crate) fn end_of(loaded: &Loaded, epoch: u32) -> EndRun {
    let run = &loaded.state.turn.as_ref().expect("a turn").runs[0];
    let ended = |open: &crate::OpenCall| CallEnd {
        call: open.call,
        outcome: CallOutcome::Completed,
        spent: Spent::default(),
        cached: false,
    };
    EndRun {
        run: run.run,
        epoch,
        call: run.open_call.as_ref().map(ended),
        text: sealed(),
        reasoning: None,
        calls: None,
        chunks: sealed(),
        end: RunEnd::Completed { finish_reason: FinishReason::Stop },
        to_asker: None,
        turn_reason: sealed(),
    }
}

fn the_run(loaded: &Loaded) -> RunId {
    loaded.state.turn.as_ref().expect("a turn").runs[0].run
}

/// Asks until it is so.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let deadline = Utc::now() + chrono::Duration::seconds(10);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Utc::now() < deadline, "it did not come about");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
