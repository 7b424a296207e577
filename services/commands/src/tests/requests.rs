//! What persons ask: sealed, limited, and only of conversations that they take part in.

use events::{Actor, ConversationEvent, Field, Sealed};
use serde_json::json;

use super::world::{World, caller, event, names, rejection, text, worlds};
use crate::requests::{METADATA_LIMIT, TEXT_LIMIT};
use crate::rules::code;
use crate::{
    AddParticipant, ArchiveConversation, Error, RemoveParticipant, RenameConversation, SendMessage, StartAgent,
    StartConversation,
};

async fn opened(world: &World, sealed: &Sealed, field: &Field<'_>) -> String {
    world.keyring.open(sealed, field).await.expect("opens").expect("its key is there")
}

#[tokio::test]
async fn what_a_person_writes_is_sealed_where_it_stands() {
    for world in worlds().await {
        let input = StartConversation {
            title: Some("Plans".into()),
            agents: None,
            metadata: Some(json!({ "b": 1, "a": [true] })),
        };
        let outcome = world.here.start_conversation(&world.alice, input).await.expect("accepted");
        let id = outcome.loaded.id;
        let ConversationEvent::ConversationStarted(started) = event(&outcome.records[0]) else { panic!() };
        assert_eq!(started.agents, ["assistant"]);
        let title = Field::new("default", id, id, "title");
        assert_eq!(opened(&world, &started.title.expect("title"), &title).await, "Plans");
        let metadata = Field::new("default", id, id, "metadata");
        let json: serde_json::Value =
            serde_json::from_str(&opened(&world, &started.metadata.expect("metadata"), &metadata).await).expect("json");
        assert_eq!(json, json!({ "a": [true], "b": 1 }));

        let input = SendMessage {
            message_type: Some("markdown".into()),
            metadata: Some(json!("note")),
            ..text(id, "Grüße \u{0}")
        };
        let outcome = world.here.send_message(&world.alice, input).await.expect("accepted");
        let ConversationEvent::MessageSent(sent) = event(&outcome.records[0]) else { panic!() };
        let field = |name| Field::new("default", id, sent.message, name);
        assert_eq!(opened(&world, &sent.text, &field("text")).await, "Grüße \u{0}");
        assert_eq!(sent.text_bytes, 9);
        assert_eq!(opened(&world, &sent.message_type.expect("type"), &field("message_type")).await, "markdown");
        assert_eq!(opened(&world, &sent.metadata.expect("metadata"), &field("metadata")).await, "\"note\"");
        let stored = serde_json::to_string(&world.stream(id).await).expect("json");
        assert!(!stored.contains("Plans") && !stored.contains("markdown") && !stored.contains("note"));
    }
}

#[tokio::test]
async fn a_person_s_command_begins_a_chain_of_causes() {
    for world in worlds().await {
        let outcome = world.here.send_message(&world.alice, text(None, "hi")).await.expect("accepted");
        let first = &outcome.records[0];
        for record in &outcome.records {
            assert_eq!(record.correlationid, first.id);
            assert_eq!(record.causationid, None);
            assert_eq!(record.actor, Actor::Person(world.alice.person));
            assert_eq!(record.tenant, "default");
        }
        assert_eq!(outcome.loaded.started_at, first.time);
    }
}

#[tokio::test]
async fn to_who_does_not_take_part_there_is_no_conversation() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        let elsewhere = caller(&world.keyring, "other", "alice").await;
        let mallory = crate::Caller { tenant: "other".into(), ..world.alice.clone() };
        for stranger in [&world.bob, &elsewhere, &mallory] {
            let (here, person) = (&world.here, "bob".to_owned());
            let rename = RenameConversation { conversation: id, title: "x".repeat(201) };
            let agent = StartAgent { conversation: id, agent: "x".into(), model: None, instructions: None };
            let answers = [
                here.send_message(stranger, text(id, "hi")).await,
                here.rename_conversation(stranger, rename).await,
                here.archive_conversation(stranger, ArchiveConversation { conversation: id }).await,
                here.add_participant(stranger, AddParticipant { conversation: id, person: person.clone() }).await,
                here.remove_participant(stranger, RemoveParticipant { conversation: id, person }).await,
                here.start_agent(stranger, agent).await,
            ];
            for answer in answers {
                assert!(matches!(answer, Err(Error::NotFound)), "{answer:?}");
            }
        }
        assert_eq!(world.stream(id).await.len(), 1);
        let unknown = events::ConversationId::generate();
        let answer = world.here.send_message(&world.alice, text(unknown, "hi")).await;
        assert!(matches!(answer, Err(Error::NotFound)), "{answer:?}");
        assert_eq!(world.here.load(unknown).await.expect("store"), None);
    }
}

#[tokio::test]
async fn persons_come_and_go_by_their_names() {
    for world in worlds().await {
        let id = world.conversation(&[]).await;
        let add = AddParticipant { conversation: id, person: "bob".into() };
        let added = world.here.add_participant(&world.alice, add.clone()).await.expect("added");
        assert_eq!(added.loaded.state.participants, [world.alice.person, world.bob.person]);
        assert_eq!(rejection(world.here.add_participant(&world.bob, add).await), code::ALREADY_PARTICIPANT);
        let nobody = RemoveParticipant { conversation: id, person: "nobody".into() };
        assert_eq!(rejection(world.here.remove_participant(&world.bob, nobody).await), code::NOT_A_PARTICIPANT);
        let removed = RemoveParticipant { conversation: id, person: "alice".into() };
        world.here.remove_participant(&world.bob, removed).await.expect("removed");
        let gone = world.here.send_message(&world.alice, text(id, "hi")).await;
        assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
        let last = RemoveParticipant { conversation: id, person: "bob".into() };
        assert_eq!(rejection(world.here.remove_participant(&world.bob, last).await), code::LAST_PARTICIPANT);
    }
}

#[tokio::test]
async fn input_has_limits() {
    let world = worlds().await.remove(0);
    let id = world.conversation(&[]).await;
    let fits = world.here.send_message(&world.alice, text(id, &"x".repeat(TEXT_LIMIT))).await;
    assert_eq!(names(&fits.expect("accepted").records), ["MessageSent"]);
    let big = json!("x".repeat(METADATA_LIMIT - 1));
    let metadata = Some(json!("x".repeat(METADATA_LIMIT - 2)));
    world.here.send_message(&world.alice, SendMessage { metadata, ..text(id, "hi") }).await.expect("accepted");
    let person = |person: &str| AddParticipant { conversation: id, person: person.into() };
    let answers = [
        world.here.send_message(&world.alice, text(id, "")).await,
        world.here.send_message(&world.alice, text(id, &"x".repeat(TEXT_LIMIT + 1))).await,
        world.here.send_message(&world.alice, SendMessage { metadata: Some(big), ..text(id, "hi") }).await,
        world.here.add_participant(&world.alice, person("")).await,
        world.here.add_participant(&world.alice, person("a\0b")).await,
    ];
    for answer in answers {
        assert!(matches!(answer, Err(Error::Invalid(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn agents_and_models_come_from_the_catalog() {
    let world = worlds().await.remove(0);
    let agents = |names: &[&str]| StartConversation {
        agents: Some(names.iter().map(|&name| name.into()).collect()),
        ..StartConversation::default()
    };
    let unknown = world.here.start_conversation(&world.alice, agents(&["assistant", "oracle"])).await;
    assert_eq!(rejection(unknown), code::UNKNOWN_AGENT);
    let twice = world.here.start_conversation(&world.alice, agents(&["assistant", "assistant"])).await;
    assert_eq!(twice.expect("accepted").loaded.state.agents, ["assistant"]);

    let id = world.conversation(&[]).await;
    let run = |agent: &str, model: Option<&str>| StartAgent {
        conversation: id,
        agent: agent.into(),
        model: model.map(Into::into),
        instructions: Some("be brief".into()),
    };
    assert_eq!(rejection(world.here.start_agent(&world.alice, run("oracle", None)).await), code::UNKNOWN_AGENT);
    let model = world.here.start_agent(&world.alice, run("assistant", Some("openai/o9"))).await;
    assert_eq!(rejection(model), code::MODEL_NOT_ALLOWED);
    let outcome = world.here.start_agent(&world.alice, run("assistant", Some("offline"))).await.expect("accepted");
    let turn = outcome.loaded.state.turn.as_ref().expect("a turn");
    let instructions = turn.runs[0].instructions.as_ref().expect("instructions");
    let field = Field::new("default", id, turn.runs[0].run, "instructions");
    assert_eq!(opened(&world, instructions, &field).await, "be brief");
}
