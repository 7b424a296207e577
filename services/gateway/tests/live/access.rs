use std::time::Duration;

use events::ConversationId;
use serde_json::{Value, json};

use crate::node::Node;
use crate::watch::{Heard, Watch};

async fn participant(node: &Node, mutation: &str, conversation: ConversationId, person: &str) {
    let query = format!("mutation ($i: ParticipantInput!) {{ {mutation}(input: $i) {{ cursor errors {{ code }} }} }}");
    let answer = node.ask("alice", &query, json!({ "i": { "conversationId": conversation, "person": person } })).await;
    assert_eq!(answer["data"][mutation]["errors"], json!([]), "{answer:#}");
}

#[tokio::test]
async fn a_stranger_and_somebody_without_a_token_see_nothing() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let mut stranger = Watch::conversation(&node, "mallory", conversation, Some("0")).await;
    assert_eq!(stranger.code().await, "NOT_FOUND");
    stranger.completes().await;
    let query = "subscription ($id: ID!) { conversationUpdates(conversationId: $id) { cursor } }";
    let body = json!({ "query": query, "variables": { "id": conversation } });
    let mut nobody = Watch::open(&node, None, &body, None).await;
    assert_eq!(nobody.code().await, "UNAUTHENTICATED");
    let refused = node.stream(Some("false"), &body, None).await;
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn who_is_removed_sees_that_and_nothing_more() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    participant(&node, "addParticipant", conversation, "bob").await;
    let mut watch = Watch::conversation(&node, "bob", conversation, Some("0")).await;
    watch.until("ParticipantAdded").await;
    participant(&node, "removeParticipant", conversation, "bob").await;
    node.say(conversation, "secret").await;
    let removed = watch.update().await;
    assert_eq!(removed["__typename"], "ParticipantRemoved");
    assert_eq!((&removed["person"], &removed["by"]), (&json!("bob"), &json!("alice")));
    assert_eq!(watch.code().await, "NOT_FOUND");
    watch.completes().await;
}

#[tokio::test]
async fn who_was_removed_and_added_again_reads_on() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    for mutation in ["addParticipant", "removeParticipant", "addParticipant"] {
        participant(&node, mutation, conversation, "bob").await;
    }
    node.say(conversation, "welcome back").await;
    let mut watch = Watch::conversation(&node, "bob", conversation, Some("0")).await;
    let seen = watch.until("MessageSent").await;
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn a_stream_is_cut_when_its_token_ends_and_when_the_node_stops() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let query = "subscription ($id: ID!) { conversationUpdates(conversationId: $id) { cursor } }";
    let body: Value = json!({ "query": query, "variables": { "id": conversation } });
    let token = node.token("alice", Duration::from_secs(1));
    let mut short = Watch::open(&node, Some(&token), &body, None).await;
    assert!(matches!(short.heard().await, Heard::Cut));
    let token = node.token("alice", Duration::from_secs(60));
    let mut long = Watch::open(&node, Some(&token), &body, None).await;
    node.stop.cancel();
    assert!(matches!(long.heard().await, Heard::Cut));
}

#[tokio::test]
async fn what_is_no_subscription_is_answered_and_completes() {
    let node = Node::start().await;
    let token = node.token("alice", Duration::from_secs(60));
    let mut query = Watch::open(&node, Some(&token), &json!({ "query": "{ viewer { id } }" }), None).await;
    let Heard::Next(answer) = query.heard().await else { panic!("an answer") };
    assert_eq!(answer["data"]["viewer"]["id"], "alice");
    query.completes().await;
    let mut wrong = Watch::open(&node, Some(&token), &json!({ "query": "subscription { nonsense }" }), None).await;
    assert_eq!(wrong.code().await, "BAD_USER_INPUT");
    wrong.completes().await;
}
