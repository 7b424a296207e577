//! Callers that go away, turns that do not come, events of a later build.

use std::time::Duration;

use event_store::NewEvent;
use events::{EventId, Kind, Record};

use super::world::{World, text, worlds};
use crate::{Commands, Error};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_in_the_middle_breaks_nothing() {
    for world in worlds().await {
        let id = world.conversation(&["assistant"]).await;
        let mut acknowledged = Vec::new();
        for number in 0..60 {
            let commands = if number % 3 == 0 { &world.there } else { &world.here };
            let patience = Duration::from_micros(number * 53);
            let sent = tokio::time::timeout(patience, commands.send_message(&world.alice, text(id, "hi"))).await;
            acknowledged.extend(sent.ok().map(|outcome| outcome.expect("accepted").records[0].id));
        }
        let last = world.here.send_message(&world.alice, text(id, "last")).await.expect("accepted");
        acknowledged.push(last.records[0].id);
        let stored: Vec<EventId> = world.stream(id).await.iter().map(|record| record.id).collect();
        assert!(acknowledged.iter().all(|id| stored.contains(id)), "what was acknowledged is there");
        assert_eq!(world.here.load(id).await.expect("store"), world.restarted().load(id).await.expect("store"));
    }
}

#[tokio::test]
async fn a_command_whose_turn_does_not_come_may_be_sent_again() {
    let world = worlds().await.remove(0);
    let id = world.conversation(&[]).await;
    world.here.send_message(&world.alice, text(id, "hi")).await.expect("accepted");
    let entry = world.here.loader.entry(id);
    let held = entry.turnstile.lock().await;
    let mut hasty: Commands = world.here.clone();
    hasty.patience = Duration::from_millis(20);
    let error = hasty.send_message(&world.alice, text(id, "hello")).await.expect_err("its turn does not come");
    assert!(matches!(error, Error::Busy) && error.kind() == Kind::Unavailable, "{error}");
    drop(held);
    world.here.send_message(&world.alice, text(id, "hello")).await.expect("accepted");
}

#[tokio::test]
async fn an_event_of_a_later_build_counts_and_is_passed_over() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        append_unknown(&world, &world.stream(id).await[0]).await;
        let outcome = world.here.send_message(&world.alice, text(id, "hi")).await.expect("accepted");
        assert_eq!(outcome.sequence(), 3);
        let loaded = world.restarted().load(id).await.expect("store").expect("there");
        assert_eq!((loaded.sequence, loaded.state.sequence), (3, 3));
        for _ in 4..=101 {
            world.here.send_message(&world.alice, text(id, "hi")).await.expect("accepted");
        }
        // That build's own process may keep a snapshot; this one does not know what the event changed.
        assert_eq!(world.store.snapshot(id).await.expect("store"), None);
    }
}

async fn append_unknown(world: &World, before: &Record) {
    let mut record = before.clone();
    record.id = EventId::generate();
    record.sequence = before.sequence + 1;
    record.prevhash.clone_from(&before.hash);
    record.kind = "dev.loquent.conversation.forked.v1".into();
    record.hash = record.computed_hash();
    let event = NewEvent { record, traceparent: None, idempotency: None };
    world.store.append(vec![event]).await.expect("appended");
}
