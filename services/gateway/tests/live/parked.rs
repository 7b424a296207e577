//! Runs that wait for their tools so long that the log has lost the chunks of their earlier model calls.

use events::CallId;
use serde_json::{Value, json};

use crate::node::Node;
use crate::scribe::Scribe;
use crate::watch::{Watch, cursor, deltas, kinds};

const SAID: [&str; 6] = ["hmm", "Let me ", "see. ", "{\"page\":", "7}", "Once more. "];

async fn allow(node: &Node, scribe: &mut Scribe, call: CallId) {
    let approve = "mutation ($id: ID!) { approveToolCall(input: { toolCallId: $id }) { errors { code } } }";
    let answer = node.ask("alice", approve, json!({ "id": call })).await;
    assert_eq!(answer["data"]["approveToolCall"]["errors"], json!([]), "{answer:#}");
    scribe.take_tool(call).await;
    scribe.tool_gave(call, "[1]").await;
    scribe.go_on().await;
}

/// An answer that has used a tool and waits for the approval of another, all that was seen of it, and what it waits for.
async fn park(node: &Node) -> (Scribe, Vec<Value>, CallId) {
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut watch = Watch::conversation(node, "alice", conversation, Some("0")).await;
    let mut scribe = Scribe::begin(node, conversation, message).await;
    let mut seen = watch.until("AgentStarted").await;
    scribe.think(SAID[0]).await;
    scribe.write(SAID[1]).await;
    seen.extend(watch.take(2).await);
    node.say(conversation, "take your time").await;
    seen.extend(watch.take(1).await);
    scribe.write(SAID[2]).await;
    scribe.call_tool(SAID[3]).await;
    scribe.call_tool(SAID[4]).await;
    let call = scribe.want("{\"page\":7}", true).await;
    seen.extend(watch.until("ToolCallRequested").await);
    allow(node, &mut scribe, call).await;
    seen.extend(watch.until("ToolCallCompleted").await);
    scribe.write(SAID[5]).await;
    let call = scribe.want("{\"page\":8}", true).await;
    seen.extend(watch.until("ToolCallRequested").await);
    assert_eq!(deltas(&seen), SAID);
    (scribe, seen, call)
}

#[tokio::test]
async fn a_run_that_waits_is_shown_whole_from_every_place_when_the_log_has_lost_its_chunks() {
    let node = Node::start().await;
    let (mut scribe, mut seen, call) = park(&node).await;
    let node = node.restart().await;
    scribe.move_to(&node);
    let conversation = scribe.conversation;
    let mut readers = Vec::new();
    for place in 0..seen.len() {
        let mut watch = Watch::conversation(&node, "alice", conversation, Some(cursor(&seen[place]))).await;
        assert_eq!(watch.take(seen.len() - place - 1).await, seen[place + 1..], "after {}", cursor(&seen[place]));
        readers.push(watch);
    }
    allow(&node, &mut scribe, call).await;
    scribe.write("Page 8 ").await;
    let mut early = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    assert_eq!(early.take(seen.len()).await, seen);
    scribe.write("it is.").await;
    scribe.complete().await;
    let rest = early.until("TurnCompleted").await;
    assert_eq!(deltas(&rest), ["Page 8 ", "it is."]);
    assert_eq!(rest.iter().find(|update| update["delta"] == "Page 8 ").unwrap()["index"], SAID.len());
    for mut watch in readers {
        assert_eq!(watch.until("TurnCompleted").await, rest);
    }
    seen.extend(rest);
    assert_eq!(Watch::conversation(&node, "alice", conversation, Some("0")).await.until("TurnCompleted").await, seen);
}

#[tokio::test]
async fn without_a_cursor_a_waiting_message_comes_first_with_all_its_chunks() {
    let node = Node::start().await;
    let (mut scribe, seen, call) = park(&node).await;
    let node = node.restart().await;
    scribe.move_to(&node);
    let mut watch = Watch::conversation(&node, "alice", scribe.conversation, None).await;
    let begun = watch.take(1 + SAID.len()).await;
    assert_eq!((kinds(&begun)[0], &deltas(&begun)[..]), ("AgentStarted", &SAID[..]));
    let facts = |updates: &[Value]| {
        let chunks = updates.iter().filter(|update| update["__typename"] == "ChunkProduced");
        chunks.map(|chunk| json!([chunk["index"], chunk["kind"], chunk["at"], chunk["epoch"]])).collect::<Vec<_>>()
    };
    assert_eq!(facts(&begun), facts(&seen));
    let mut alone = Watch::message(&node, "alice", scribe.message, None).await;
    assert_eq!(deltas(&alone.take(1 + SAID.len()).await), SAID);
    allow(&node, &mut scribe, call).await;
    scribe.write("Done.").await;
    scribe.complete().await;
    let rest = watch.until("TurnCompleted").await;
    assert_eq!(deltas(&rest), ["Done."]);
    assert_eq!(deltas(&alone.until("MessageCompleted").await), ["Done."]);
    for (place, update) in begun.iter().enumerate() {
        let mut again = Watch::conversation(&node, "alice", scribe.conversation, Some(cursor(update))).await;
        let wanted: Vec<_> = begun[place + 1..].iter().chain(&rest).cloned().collect();
        assert_eq!(again.until("TurnCompleted").await, wanted, "after {}", cursor(update));
    }
}

#[tokio::test]
async fn a_new_attempt_that_waits_is_shown_with_what_earlier_ones_had_said() {
    let node = Node::start().await;
    let (mut scribe, _, call) = park(&node).await;
    let mut watch = Watch::conversation(&node, "alice", scribe.conversation, None).await;
    watch.take(1 + SAID.len()).await;
    allow(&node, &mut scribe, call).await;
    scribe.write("lost").await;
    scribe.claim().await;
    scribe.write("Last ").await;
    scribe.call_tool("{}").await;
    scribe.want("{}", true).await;
    watch.until("AgentStarted").await;
    let seen = watch.until("ToolCallRequested").await;
    assert_eq!(deltas(&seen), ["hmm", "Let me see. Once more. ", "{\"page\":7}", "Last ", "{}"]);
    let node = node.restart().await;
    let mut again = Watch::conversation(&node, "alice", scribe.conversation, None).await;
    let begun = again.take(6).await;
    assert_eq!((&begun[0]["epoch"], deltas(&begun)), (&json!(2), deltas(&seen)));
    let mut past = Watch::conversation(&node, "alice", scribe.conversation, Some("0")).await;
    for _ in 0..2 {
        past.until("AgentStarted").await;
    }
    assert_eq!(past.until("ToolCallRequested").await, seen);
    for (place, update) in seen.iter().enumerate() {
        let mut after = Watch::conversation(&node, "alice", scribe.conversation, Some(cursor(update))).await;
        assert_eq!(after.take(seen.len() - place - 1).await, seen[place + 1..], "after {}", cursor(update));
    }
}

#[tokio::test]
async fn the_text_of_a_waiting_message_is_all_that_it_has_said() {
    let node = Node::start().await;
    let (mut scribe, _, call) = park(&node).await;
    assert_eq!(text(&node, &scribe).await, "Let me see. Once more. ");
    let node = node.restart().await;
    scribe.move_to(&node);
    assert_eq!(text(&node, &scribe).await, "Let me see. Once more. ");
    allow(&node, &mut scribe, call).await;
    scribe.write("Page 8").await;
    assert_eq!(text(&node, &scribe).await, "Let me see. Once more. Page 8");
    scribe.claim().await;
    scribe.write("Page 9").await;
    assert_eq!(text(&node, &scribe).await, "Let me see. Once more. Page 9");
}

async fn text(node: &Node, scribe: &Scribe) -> String {
    let last = node.store.last_sequence(scribe.conversation).await.unwrap().to_string();
    let awaited = "query ($c: ID!, $at: Cursor) { conversation(id: $c, atLeast: $at) { id } }";
    node.ask("alice", awaited, json!({ "c": scribe.conversation, "at": last })).await;
    let query = "query ($id: ID!) { message(id: $id) { status text } }";
    let answer = node.ask("alice", query, json!({ "id": scribe.message })).await;
    let message = &answer["data"]["message"];
    assert_eq!(message["status"], "STREAMING", "{answer:#}");
    message["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_waiting_message_that_was_erased_has_no_chunks() {
    let node = Node::start().await;
    let (scribe, ..) = park(&node).await;
    let input = json!({ "i": { "conversationId": scribe.conversation, "person": "bob" } });
    let add = "mutation ($i: ParticipantInput!) { addParticipant(input: $i) { errors { code } } }";
    node.ask("alice", add, input).await;
    node.keyring.destroy_person(node.caller("alice").await.person).await.unwrap();
    node.keyring.forget();
    let node = node.restart().await;
    let mut watch = Watch::conversation(&node, "bob", scribe.conversation, Some("0")).await;
    let seen = watch.until("ParticipantAdded").await;
    assert!(deltas(&seen).is_empty(), "{seen:#?}");
}
