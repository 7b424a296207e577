//! A message gets its answer, at every door and from every kind of model.

use std::time::Duration;

use serde_json::json;
use tests::client::{is_end, is_turn_end, text};
use tests::history::History;
use tests::sandbox::{Form, Role, Sandbox};
use tests::upstream::{Upstream, words};

#[tokio::test]
async fn a_message_sent_at_one_gateway_is_answered_at_the_other() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|_| words(12, Duration::from_millis(5))).await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).cluster().await;
        let (alice, elsewhere) = (cluster.client("alice", 0), cluster.client("alice", 1));
        let conversation = alice.start_conversation(None).await;
        let mut updates = elsewhere.updates(&conversation, Some("0")).await;
        alice.send(Some(&conversation), "Hello").await;
        let seen = updates.until(is_turn_end).await;
        History(&seen).check();
        let end = seen.iter().find(|update| is_end(update)).expect("an end");
        let expected: String = (0..12).map(|number| format!("word{number} ")).collect();
        assert_eq!(text(&end["text"]), expected, "{form}");
        assert_eq!(upstream.calls().len(), 1, "{form}: one question, one call");
    }
}

#[tokio::test]
async fn the_offline_model_answers_without_any_settings() {
    let cluster = Sandbox::new(Form::Embedded).await.with("LOQUENT_OFFLINE_PACE", "1ms").cluster().await;
    let alice = cluster.client("alice", 0);
    let sent = alice.send(None, "What are you?").await;
    let seen = alice.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
    History(&seen).check();
    assert!(History(&seen).count("ChunkProduced") > 3);
}

#[tokio::test]
async fn a_socket_and_an_event_stream_show_the_same() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|_| words(10, Duration::from_millis(5))).await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Hello").await;
        let live = alice.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
        let socket = cluster.client("alice", 1).socket_updates(&sent.conversation, "0", is_turn_end).await;
        assert_eq!(live, socket, "{form}");
    }
}

#[tokio::test]
async fn queries_show_the_answer_and_strangers_see_nothing() {
    for form in Form::at_hand() {
        let cluster = Sandbox::new(form).await.with("LOQUENT_OFFLINE_PACE", "1ms").cluster().await;
        let (alice, bob) = (cluster.client("alice", 0), cluster.client("bob", 1));
        let sent = alice.send(None, "Hello").await;
        let seen = alice.updates(&sent.conversation, Some(&sent.cursor)).await.until(is_turn_end).await;
        let last = text(&seen.last().expect("updates")["cursor"]);
        let query = "query($c: ID!, $at: Cursor) { conversation(id: $c, atLeast: $at) \
                     { sequence messages { nodes { role text status } } turns { nodes { status } } } }";
        let variables = json!({ "c": sent.conversation, "at": last });
        let data = alice.ask(query, variables.clone()).await;
        let messages = data["conversation"]["messages"]["nodes"].as_array().expect("messages").clone();
        assert_eq!(messages.len(), 2, "{form}: {data}");
        assert_eq!(messages[1]["status"], "COMPLETED", "{form}");
        assert_eq!(messages[1]["text"], seen.iter().find(|u| is_end(u)).expect("an end")["text"], "{form}");
        let hidden = bob.graphql("query($c: ID!) { conversation(id: $c) { id } }", variables).await.expect("an answer");
        assert!(hidden["data"]["conversation"].is_null() && hidden.get("errors").is_none(), "{form}: {hidden}");
        let refused = bob.try_send(Some(&sent.conversation), "me too", None).await.expect_err("not hers");
        assert!(refused.contains("NOT_FOUND"), "{form}: {refused}");
    }
}

#[tokio::test]
async fn a_told_process_ends_well_and_its_work_goes_on_elsewhere() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|_| words(40, Duration::from_millis(25))).await;
        let mut cluster = Sandbox::new(form).await.model(&upstream.base_url).cluster().await;
        let sent = cluster.client("alice", 0).send(None, "Hello").await;
        let mut updates = cluster.client("alice", 0).updates(&sent.conversation, Some("0")).await;
        updates.until(|update| update["index"] == 3).await;
        for role in [Role::Agents, Role::Relay, Role::Projections, Role::Gateway] {
            if form == Form::Embedded && role != Role::Gateway {
                continue;
            }
            cluster.terminate(role, 0, Duration::from_secs(30)).await;
        }
        if form == Form::Embedded {
            cluster.start(Role::Gateway, 0).await;
        }
        let mut updates = cluster.client("alice", 1).updates(&sent.conversation, Some("0")).await;
        History(&updates.until(is_turn_end).await).check();
    }
}
