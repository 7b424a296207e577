//! Idempotency keys.

use events::ConversationId;

use super::world::{World, cause, claim_of, end_of, eventually, ids, keyed, names, rejection, text, worlds};
use crate::rules::code;
use crate::{
    AddParticipant, ArchiveConversation, Error, RemoveParticipant, RenameConversation, SendMessage, StartAgent,
    StartConversation,
};

fn start_agent(conversation: ConversationId) -> StartAgent {
    StartAgent { conversation, agent: "assistant".into(), model: None, instructions: None }
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_here_and_in_another_process() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        let alice = keyed(&world.alice, "k");
        let first = world.here.send_message(&alice, text(id, "hi")).await.expect("accepted");
        assert!(!first.repeated);
        world.here.send_message(&world.alice, text(id, "more")).await.expect("accepted");
        for commands in [&world.here, &world.there, &world.restarted()] {
            let again = commands.send_message(&alice, text(id, "hi")).await.expect("repeated");
            assert!(again.repeated);
            assert_eq!((ids(&again), again.sequence()), (ids(&first), 2));
            assert_eq!(again.loaded.sequence, 3);
        }
        assert_eq!(world.stream(id).await.len(), 3);
    }
}

#[tokio::test]
async fn a_repeat_gets_all_events_of_the_first() {
    for world in worlds().await {
        let alice = keyed(&world.alice, "k");
        let first = world.here.send_message(&alice, text(None, "hi")).await.expect("accepted");
        assert_eq!(names(&first.records), ["ConversationStarted", "MessageSent"]);
        let again = world.there.send_message(&alice, text(None, "hi")).await.expect("repeated");
        assert_eq!(ids(&again), ids(&first));
        assert_eq!(again.loaded.id, first.loaded.id);

        let id = world.conversation(&[]).await;
        let first = world.here.start_agent(&alice, start_agent(id)).await.expect("accepted");
        let run = cause(&first.records[1]);
        world.here.react(id, claim_of(&first.loaded, 1), run).await.expect("claimed");
        let again = world.there.start_agent(&alice, start_agent(id)).await.expect("repeated");
        assert_eq!(names(&again.records), ["TurnStarted", "TurnPlanned"]);
        assert_eq!(ids(&again), ids(&first));
    }
}

#[tokio::test]
async fn a_key_counts_for_one_input_one_person_and_one_command() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        let alice = keyed(&world.alice, "k");
        world.here.send_message(&alice, text(id, "hi")).await.expect("accepted");
        let other = world.here.send_message(&alice, text(id, "ho")).await;
        assert!(matches!(other, Err(Error::IdempotencyKeyReused)), "{other:?}");
        let elsewhere = world.there.send_message(&alice, text(None, "hi")).await;
        assert!(matches!(elsewhere, Err(Error::IdempotencyKeyReused)), "{elsewhere:?}");

        let rename = RenameConversation { conversation: id, title: "t".into() };
        assert!(!world.here.rename_conversation(&alice, rename).await.expect("accepted").repeated);
        let add = AddParticipant { conversation: id, person: "bob".into() };
        world.here.add_participant(&world.alice, add).await.expect("added");
        let bob = keyed(&world.bob, "k");
        assert!(!world.here.send_message(&bob, text(id, "hi")).await.expect("accepted").repeated);
        let empty = world.here.send_message(&keyed(&world.alice, ""), text(id, "hi")).await;
        assert!(matches!(empty, Err(Error::Invalid(_))), "{empty:?}");
    }
}

#[tokio::test]
async fn what_is_left_out_is_the_same_as_its_default() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        let alice = keyed(&world.alice, "k");
        let plain = SendMessage { message_type: Some("text".into()), ..text(id, "hi") };
        let first = world.here.send_message(&alice, plain).await.expect("accepted");
        assert_eq!(first.records[0].data.get("message_type"), None);
        assert!(world.here.send_message(&alice, text(id, "hi")).await.expect("repeated").repeated);
    }
}

#[tokio::test]
async fn a_repeat_is_answered_also_when_the_rule_would_say_no_by_now() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        let add = AddParticipant { conversation: id, person: "bob".into() };
        world.here.add_participant(&world.alice, add).await.expect("added");
        let bob = keyed(&world.bob, "k");
        let said = world.here.send_message(&bob, text(id, "hi")).await.expect("accepted");
        let leave = RemoveParticipant { conversation: id, person: "bob".into() };
        let left = world.here.remove_participant(&bob, leave.clone()).await.expect("accepted");
        let alice = keyed(&world.alice, "k");
        let archive = ArchiveConversation { conversation: id };
        let archived = world.here.archive_conversation(&alice, archive.clone()).await.expect("accepted");

        for commands in [&world.here, &world.there] {
            let again = commands.send_message(&bob, text(id, "hi")).await.expect("repeated");
            assert_eq!(ids(&again), ids(&said));
            let again = commands.remove_participant(&bob, leave.clone()).await.expect("repeated");
            assert_eq!(ids(&again), ids(&left));
            let again = commands.archive_conversation(&alice, archive.clone()).await.expect("repeated");
            assert_eq!(ids(&again), ids(&archived));
            let new = commands.send_message(&keyed(&world.bob, "other"), text(id, "hi")).await;
            assert!(matches!(new, Err(Error::NotFound)), "{new:?}");
        }
    }
}

#[tokio::test]
async fn a_rejection_is_not_remembered() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        let running = world.here.start_agent(&world.alice, start_agent(id)).await.expect("accepted");
        let alice = keyed(&world.alice, "k");
        assert_eq!(rejection(world.here.start_agent(&alice, start_agent(id)).await), code::TURN_RUNNING);
        let planned = cause(&running.records[1]);
        world.here.react(id, claim_of(&running.loaded, 1), planned.clone()).await.expect("claimed");
        world.here.react(id, end_of(&running.loaded, 1), planned).await.expect("ended");
        assert!(!world.here.start_agent(&alice, start_agent(id)).await.expect("accepted").repeated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_same_command_sent_at_once_one_is_carried_out() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        assert_eq!(at_once(&world, text(id, "hi")).await, 1);
        assert_eq!(world.stream(id).await.len(), 2);
        assert_eq!(at_once(&world, text(None, "hello")).await, 1);
        let streams = world.store.streams(None, 10).await.expect("store");
        assert_eq!(streams.len(), 2, "one conversation began");
    }
}

/// How many different answers sixteen requests got.
async fn at_once(world: &World, input: SendMessage) -> usize {
    let alice = keyed(&world.alice, &format!("at once {}", input.text));
    let requests = (0..16).map(|number| {
        let commands = if number % 2 == 0 { world.here.clone() } else { world.there.clone() };
        let (alice, input) = (alice.clone(), input.clone());
        tokio::spawn(async move { commands.send_message(&alice, input).await.expect("accepted") })
    });
    let mut answers = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        answers.push(ids(&request.await.expect("no panic")));
    }
    answers.sort();
    answers.dedup();
    answers.len()
}

#[tokio::test]
async fn a_repeated_start_makes_no_keys() {
    for world in worlds().await {
        let alice = keyed(&world.alice, "k");
        let input = StartConversation { title: Some("t".into()), ..StartConversation::default() };
        let keys = || async {
            let count = database::sql("select count(*) from loquent_keys.content_keys");
            let row: Option<(i64,)> = world.database.database.fetch_optional(count).await.expect("counted");
            row.map(|(count,)| count)
        };
        world.here.start_conversation(&alice, input.clone()).await.expect("accepted");
        let before = eventually(keys).await;
        let long = StartConversation { title: Some("t".repeat(201)), ..input.clone() };
        assert_eq!(rejection(world.here.start_conversation(&world.alice, long).await), code::TITLE_TOO_LONG);
        assert!(world.there.start_conversation(&alice, input).await.expect("repeated").repeated);
        assert_eq!(eventually(keys).await, before);
    }
}
