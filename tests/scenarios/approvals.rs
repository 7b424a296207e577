//! A person decides about a tool call: once, also over a restart, with other arguments or with a no.

use std::time::Duration;

use serde_json::{Value, json};
use tests::client::{Client, Updates, is_turn_end, text};
use tests::history::History;
use tests::sandbox::{Cluster, Form, Role};
use tests::tool_server::ToolServer;
use tests::upstream::Upstream;

use crate::team::{notes, tooled};

const CALL: &str = "toolCall { id status arguments decidedBy }";
/// The assistant asks before each of its tools.
const ASK: &str = "approval = \"ask\"\n";

/// Asks the assistant, and answers with the call that waits for a person.
async fn asks(alice: &Client, id: &str, updates: &mut Updates) -> String {
    alice.send(Some(id), "Write it down").await;
    let seen = updates.until(|update| update["__typename"] == "ToolCallRequested").await;
    let wanted = History(&seen).last("ToolCallRequested");
    let expected = (&json!("note"), &json!({ "text": "mine" }), &json!(true));
    assert_eq!((&wanted["tool"], &wanted["arguments"], &wanted["needsApproval"]), expected);
    text(&wanted["toolCallId"])
}

/// Reads until the only call that waits is this one; tables follow the log.
async fn pending(client: &Client, expected: &[&str]) {
    let query = "{ pendingApprovals { nodes { id status } } }";
    let waiting = async {
        loop {
            let data = client.ask(query, json!({})).await;
            let nodes = data["pendingApprovals"]["nodes"].as_array().expect("a list").clone();
            let ids: Vec<_> = nodes.iter().map(|node| text(&node["id"])).collect();
            if ids == expected {
                return nodes.iter().for_each(|node| assert_eq!(node["status"], "WAITING"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(tests::PATIENCE, waiting).await.expect("what waits, in time");
}

/// `kill -9` of all that has to do with the call.
async fn restart(cluster: &mut Cluster) {
    let all = match cluster.sandbox.form {
        Form::Embedded => vec![(Role::Gateway, 0)],
        Form::Scaled => [Role::Gateway, Role::Turns, Role::Models, Role::Tools].map(|role| (role, 0)).to_vec(),
    };
    for (role, index) in all {
        cluster.kill(role, index).await;
        cluster.start(role, index).await;
    }
}

async fn decide(client: &Client, mutation: &str, input: Value) -> Value {
    let kind = if mutation == "approveToolCall" { "ApproveToolCallInput" } else { "RejectToolCallInput" };
    client.change(mutation, kind, CALL, input).await
}

#[tokio::test]
async fn a_person_allows_a_call_with_other_arguments_after_a_restart() {
    for form in Form::at_hand() {
        let (upstream, tools) = (Upstream::start(notes).await, ToolServer::start(Duration::ZERO).await);
        let mut cluster = tooled(form, &upstream, &tools, ASK).await.split_cluster().await;
        let alice = cluster.client("alice", 0);
        let id = alice.start_conversation(None).await;
        let call = asks(&alice, &id, &mut alice.updates(&id, Some("0")).await).await;
        pending(&alice, &[&call]).await;
        restart(&mut cluster).await;
        let (alice, bob) = (cluster.client("alice", 1), cluster.client("bob", 0));
        pending(&alice, &[&call]).await;
        pending(&bob, &[]).await;
        assert!(tools.asked().is_empty(), "{form}: nobody has allowed it");
        let input = json!({ "toolCallId": call, "arguments": { "text": "ours" } });
        let answer = decide(&alice, "approveToolCall", input.clone()).await;
        assert_eq!((&answer["errors"], &answer["toolCall"]["decidedBy"]), (&json!([]), &json!("alice")), "{answer}");
        for (mutation, input) in [("approveToolCall", input), ("rejectToolCall", json!({ "toolCallId": call }))] {
            let late = decide(&alice, mutation, input).await;
            assert_eq!(late["errors"][0]["code"], "ALREADY_DECIDED", "{form}");
        }
        let seen = cluster.client("alice", 0).updates(&id, Some("0")).await.until(is_turn_end).await;
        History(&seen).check();
        let approved = History(&seen).last("ToolCallApproved");
        assert_eq!((&approved["by"], &approved["editedArguments"]), (&json!("alice"), &json!({ "text": "ours" })));
        assert_eq!(text(&History(&seen).last("MessageCompleted")["text"]), "I write. It is written.");
        let asked = tools.asked();
        assert_eq!((asked.len(), &asked[0].key, &asked[0].body), (1, &call, &json!({ "text": "ours" })), "{form}");
        pending(&alice, &[]).await;
    }
}

#[tokio::test]
async fn a_person_says_no_and_the_model_hears_why() {
    for form in Form::at_hand() {
        let (upstream, tools) = (Upstream::start(notes).await, ToolServer::start(Duration::ZERO).await);
        let cluster = tooled(form, &upstream, &tools, ASK).await.cluster().await;
        let alice = cluster.client("alice", 0);
        let id = alice.start_conversation(None).await;
        let call = asks(&alice, &id, &mut alice.updates(&id, Some("0")).await).await;
        let other = cluster.client("alice", 1);
        let answer = decide(&other, "rejectToolCall", json!({ "toolCallId": call, "reason": "too early" })).await;
        assert_eq!((&answer["errors"], &answer["toolCall"]["status"]), (&json!([]), &json!("REJECTED")), "{form}");
        let seen = alice.updates(&id, Some("0")).await.until(is_turn_end).await;
        History(&seen).check();
        let rejected = History(&seen).last("ToolCallRejected");
        assert_eq!((&rejected["by"], &rejected["why"]), (&json!("alice"), &json!("too early")), "{form}");
        assert!(tools.asked().is_empty() && upstream.calls()[1].to_string().contains("too early"), "{form}");
        assert_eq!(History(&seen).count("TurnCompleted"), 1, "{form}");
    }
}
