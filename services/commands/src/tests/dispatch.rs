//! Writers against each other, caches behind the store, snapshots.

use std::collections::HashSet;

use events::{Kind, Sequence};

use super::world::{World, event, eventually, names, rejection, text, worlds};
use crate::rules::code;
use crate::{AddParticipant, ArchiveConversation, Error, RemoveParticipant};

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_of_two_processes_all_get_in() {
    for world in worlds().await {
        let id = world.conversation(&["assistant"]).await;
        let writers = (0..64).map(|number| {
            let commands = if number % 2 == 0 { world.here.clone() } else { world.there.clone() };
            let caller = world.alice.clone();
            tokio::spawn(async move {
                commands.send_message(&caller, text(id, &format!("message {number}"))).await.expect("accepted")
            })
        });
        let mut sequences = HashSet::new();
        for writer in writers.collect::<Vec<_>>() {
            sequences.insert(writer.await.expect("no panic").sequence());
        }
        assert_eq!(sequences, (2..=65).collect());
        assert_eq!(world.stream(id).await.len(), 65);
        let waiting = world.here.load(id).await.expect("store").expect("there").state.waiting.len();
        assert_eq!(waiting, 64);
    }
}

#[tokio::test]
async fn what_another_process_did_counts() {
    for world in worlds().await {
        let id = world.conversation(&["assistant"]).await;
        let add = AddParticipant { conversation: id, person: "bob".into() };
        world.there.add_participant(&world.alice, add.clone()).await.expect("added");
        assert_eq!(world.here.load(id).await.expect("store").expect("there").sequence, 2);

        // Bob is a stranger to what this process remembers, and the message still comes after everything else.
        world.there.send_message(&world.bob, text(id, "hi")).await.expect("accepted");
        assert_eq!(world.here.send_message(&world.bob, text(id, "hello")).await.expect("accepted").sequence(), 4);

        world
            .there
            .archive_conversation(&world.alice, ArchiveConversation { conversation: id })
            .await
            .expect("archived");
        let late = world.here.send_message(&world.alice, text(id, "late")).await;
        assert_eq!(rejection(late), code::CONVERSATION_ARCHIVED);
        let loaded = world.here.load(id).await.expect("store").expect("there");
        assert!(loaded.state.archived && loaded.archived_at == Some(loaded.updated_at));
        let again = world.here.add_participant(&world.alice, add).await;
        assert_eq!(rejection(again), code::CONVERSATION_ARCHIVED);
    }
}

#[tokio::test]
async fn a_refusal_on_what_is_remembered_is_decided_again_on_what_is() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        let bob = || AddParticipant { conversation: id, person: "bob".into() };
        world.here.add_participant(&world.alice, bob()).await.expect("added");
        let remove = RemoveParticipant { conversation: id, person: "bob".into() };
        world.there.remove_participant(&world.alice, remove).await.expect("removed");
        world.here.add_participant(&world.alice, bob()).await.expect("added again");
        assert_eq!(
            names(&world.stream(id).await),
            ["ConversationStarted", "ParticipantAdded", "ParticipantRemoved", "ParticipantAdded"]
        );
    }
}

#[tokio::test]
async fn a_long_conversation_is_loaded_from_its_snapshot() {
    for world in worlds().await {
        let id = world.conversation(&["assistant"]).await;
        for number in 2..=230 {
            world.here.send_message(&world.alice, text(id, &number.to_string())).await.expect("accepted");
        }
        let snapshot = eventually(|| async {
            world.store.snapshot(id).await.expect("store").filter(|snapshot| snapshot.sequence == 200)
        });
        let snapshot = snapshot.await;
        assert_eq!(snapshot.hash, world.stream(id).await[199].hash);
        let loaded = world.restarted().load(id).await.expect("store").expect("there");
        assert_eq!(loaded, world.here.load(id).await.expect("store").expect("there"));
        assert_eq!((loaded.sequence, loaded.state.sequence, loaded.state.waiting.len()), (230, 230, 229));
        assert!(!snapshot.state.to_string().contains("\"text\""), "no message is in it");
    }
}

#[tokio::test]
async fn a_snapshot_of_another_form_is_passed_over() {
    for world in worlds().await {
        let id = world.conversation(&["assistant"]).await;
        let loaded = world.here.send_message(&world.alice, text(id, "hi")).await.expect("accepted").loaded.clone();
        let state = serde_json::json!({ "format": 0, "loaded": {} });
        let snapshot = event_store::Snapshot { sequence: 2, hash: loaded.hash.clone(), state };
        world.store.save_snapshot(id, &snapshot).await.expect("saved");
        assert_eq!(world.restarted().load(id).await.expect("store"), Some(loaded));
    }
}

#[tokio::test]
async fn a_stream_that_does_not_follow_from_itself_is_refused() {
    let world = worlds().await.remove(0);
    let id = world.conversation(&[]).await;
    world.here.send_message(&world.alice, text(id, "hi")).await.expect("accepted");
    broken_at(&world, 2).await;
    let answer = world.restarted().load(id).await;
    assert!(matches!(answer, Err(Error::Broken { sequence: 2, .. })), "{answer:?}");
}

/// Another predecessor than the one that it names.
async fn broken_at(world: &World, sequence: Sequence) {
    let forge =
        database::sql("update events set metadata = json_set(metadata, '$.prevhash', 'forged') where sequence = $1");
    let bound = forge.bind(i64::try_from(sequence).expect("small"));
    assert_eq!(world.database.database.execute(bound).await.expect("forged"), 1);
}

#[tokio::test]
async fn without_its_store_a_command_is_unavailable() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        assert_eq!(event(&world.stream(id).await[0]).name(), "ConversationStarted");
        world.database.database.close().await;
        let error = world.here.send_message(&world.alice, text(id, "hi")).await.expect_err("no store");
        assert_eq!(error.kind(), Kind::Unavailable);
    }
}
