//! What workers ask.

use events::{Actor, ConversationEvent, Record};

use super::world::{World, cause, claim_of, end_of, event, names, rejection, text, turn_for, worlds};
use crate::rules::code;
use crate::{Error, Outcome};

async fn sent(world: &World) -> (Outcome, Record) {
    let outcome = world.here.send_message(&world.alice, text(None, "hi")).await.expect("accepted");
    let record = outcome.records[1].clone();
    (outcome, record)
}

#[tokio::test]
async fn a_message_is_answered_in_one_chain_of_causes() {
    for world in worlds().await {
        let (outcome, message) = sent(&world).await;
        let id = outcome.loaded.id;
        let command = turn_for(outcome.loaded.state.waiting[0].turn);
        let turn = world.here.react(id, command, cause(&message)).await.expect("started");
        let claim = claim_of(&turn.loaded, 1);
        let claimed = world.there.react(id, claim, cause(&turn.records[1])).await.expect("claimed");
        let end = end_of(&claimed.loaded, 1);
        let ended = world.there.react(id, end, cause(&claimed.records[0])).await.expect("ended");

        let stream = world.stream(id).await;
        let expected = [
            ("ConversationStarted", Actor::Person(world.alice.person), None),
            ("MessageSent", Actor::Person(world.alice.person), None),
            ("TurnStarted", Actor::System, Some(stream[1].id)),
            ("TurnPlanned", Actor::System, Some(stream[1].id)),
            ("AgentStarted", Actor::Agent("assistant".into()), Some(stream[3].id)),
            ("ModelCallStarted", Actor::Agent("assistant".into()), Some(stream[3].id)),
            ("MessageCompleted", Actor::Agent("assistant".into()), Some(stream[4].id)),
            ("ModelCallEnded", Actor::Agent("assistant".into()), Some(stream[4].id)),
            ("AgentCompleted", Actor::Agent("assistant".into()), Some(stream[4].id)),
            ("TurnCompleted", Actor::Agent("assistant".into()), Some(stream[4].id)),
        ];
        for (record, (name, actor, causation)) in stream.iter().zip(&expected) {
            assert_eq!(event(record).name(), *name);
            assert_eq!((&record.actor, &record.causationid), (actor, causation), "{name}");
            assert_eq!(record.correlationid, stream[0].id);
        }
        assert_eq!(stream.len(), expected.len());
        assert_eq!(names(&ended.records), ["MessageCompleted", "ModelCallEnded", "AgentCompleted", "TurnCompleted"]);
        let ConversationEvent::MessageCompleted(message) = event(&stream[6]) else { panic!() };
        assert_eq!((message.epoch, message.started), (1, 5));
        assert!(ended.loaded.state.turn.is_none() && ended.loaded.state.waiting.is_empty());
    }
}

#[tokio::test]
async fn of_two_workers_one_starts_the_turn() {
    for world in worlds().await {
        let (outcome, record) = sent(&world).await;
        let (id, turn) = (outcome.loaded.id, outcome.loaded.state.waiting[0].turn);
        let (one, other) = tokio::join!(
            world.here.react(id, turn_for(turn), cause(&record)),
            world.there.react(id, turn_for(turn), cause(&record)),
        );
        let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
        assert_eq!(names(&won.expect("one starts it").records), ["TurnStarted", "TurnPlanned"]);
        assert_eq!(rejection(lost), code::TURN_ALREADY_STARTED);
        assert_eq!(world.stream(id).await.len(), 4);
    }
}

#[tokio::test]
async fn of_two_workers_one_claims_the_run_and_only_the_last_one_ends_it() {
    for world in worlds().await {
        let (outcome, record) = sent(&world).await;
        let id = outcome.loaded.id;
        let command = turn_for(outcome.loaded.state.waiting[0].turn);
        let turn = world.here.react(id, command, cause(&record)).await.expect("started");
        let planned = cause(&turn.records[1]);
        let (one, other) = tokio::join!(
            world.here.react(id, claim_of(&turn.loaded, 1), planned.clone()),
            world.there.react(id, claim_of(&turn.loaded, 1), planned.clone()),
        );
        let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
        assert!(matches!(lost, Err(Error::Stale)), "{lost:?}");
        let first = won.expect("one claims it");

        let taken_over = world.there.react(id, claim_of(&first.loaded, 2), planned.clone()).await.expect("claimed");
        let late = world.here.react(id, end_of(&first.loaded, 1), planned.clone()).await;
        assert!(matches!(late, Err(Error::Stale)), "{late:?}");
        world.there.react(id, end_of(&taken_over.loaded, 2), planned.clone()).await.expect("ended");
        let twice = world.there.react(id, end_of(&taken_over.loaded, 2), planned).await;
        assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    }
}

#[tokio::test]
async fn there_is_no_turn_in_a_conversation_that_there_is_not() {
    let world = worlds().await.remove(0);
    let (_, record) = sent(&world).await;
    let unknown = events::ConversationId::generate();
    let command = turn_for(events::TurnId::generate());
    let answer = world.here.react(unknown, command, cause(&record)).await;
    assert!(matches!(answer, Err(Error::NotFound)), "{answer:?}");
}
