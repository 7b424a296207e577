use events::MessageId;
use serde_json::json;

use crate::node::Node;
use crate::scribe::Scribe;
use crate::watch::{Watch, cursor, deltas, kinds};

#[tokio::test]
async fn one_message_is_delivered_until_it_ends() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut scribe = Scribe::plan(&node, conversation, message).await;
    let mut watch = Watch::message(&node, "alice", scribe.message, None).await;
    scribe.claim().await;
    scribe.write("good ").await;
    node.say(conversation, "more").await;
    scribe.write("day").await;
    let mut seen = watch.take(3).await;
    let mut late = Watch::message(&node, "alice", scribe.message, Some(cursor(&seen[1]))).await;
    scribe.complete().await;
    seen.extend(watch.until("MessageCompleted").await);
    watch.completes().await;
    assert_eq!(kinds(&seen), ["AgentStarted", "ChunkProduced", "ChunkProduced", "MessageCompleted"]);
    assert_eq!(late.until("MessageCompleted").await, seen[2..]);
    late.completes().await;
    let mut again = Watch::message(&node, "alice", scribe.message, None).await;
    let past = again.until("MessageCompleted").await;
    assert_eq!(deltas(&past), ["good ", "day"]);
    again.completes().await;
    for (place, update) in seen.iter().enumerate() {
        let mut after = Watch::message(&node, "alice", scribe.message, Some(cursor(update))).await;
        for wanted in &seen[place + 1..] {
            assert_eq!(after.update().await, *wanted);
        }
        after.completes().await;
    }
}

#[tokio::test]
async fn a_message_that_failed_or_was_taken_over_is_delivered_too() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    scribe.write("lost").await;
    scribe.claim().await;
    scribe.write("half").await;
    scribe.fail("no more").await;
    let mut watch = Watch::message(&node, "alice", scribe.message, None).await;
    let seen = watch.until("MessageFailed").await;
    assert_eq!(kinds(&seen), ["AgentStarted", "AgentStarted", "ChunkProduced", "MessageFailed"]);
    assert_eq!(seen[3]["text"], "half");
    watch.completes().await;
}

#[tokio::test]
async fn a_persons_message_is_there_at_once() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, sequence) = node.say(conversation, "hello").await;
    let mut watch = Watch::message(&node, "alice", message, None).await;
    let update = watch.update().await;
    assert_eq!(update["__typename"], "MessageSent");
    assert_eq!(update["messageId"], json!(message));
    watch.completes().await;
    Watch::message(&node, "alice", message, Some(&sequence.to_string())).await.completes().await;
}

#[tokio::test]
async fn a_strangers_message_and_an_unknown_one_do_not_exist() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    assert_eq!(Watch::message(&node, "mallory", message, None).await.code().await, "NOT_FOUND");
    assert_eq!(Watch::message(&node, "alice", MessageId::generate(), None).await.code().await, "NOT_FOUND");
}

#[tokio::test]
async fn the_text_of_a_message_in_flight_is_its_chunks_so_far() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    scribe.think("hmm").await;
    scribe.write("good ").await;
    scribe.write("day").await;
    Watch::conversation(&node, "alice", conversation, None).await.take(4).await;
    let query = "query ($id: ID!, $c: ID!, $at: Cursor) { conversation(id: $c, atLeast: $at) { id } message(id: $id) { status text } }";
    let last = node.store.last_sequence(conversation).await.unwrap().to_string();
    let variables = json!({ "id": scribe.message, "c": conversation, "at": last });
    node.ask("alice", query, variables.clone()).await;
    let answer = node.ask("alice", query, variables).await;
    assert_eq!(answer["data"]["message"], json!({ "status": "STREAMING", "text": "good day" }), "{answer:#}");
}
