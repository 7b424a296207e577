use serde_json::json;

use crate::node::Node;
use crate::scribe::Scribe;
use crate::watch::{Watch, cursor, deltas, kinds};

#[tokio::test]
async fn an_answer_is_seen_as_it_is_written() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, sequence) = node.say(conversation, "hello").await;
    let mut watch = Watch::conversation(&node, "alice", conversation, Some(&sequence.to_string())).await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    assert_eq!(kinds(&watch.take(3).await), ["TurnStarted", "TurnPlanned", "AgentStarted"]);
    scribe.think("hmm").await;
    scribe.write("Good ").await;
    let chunks = watch.take(2).await;
    assert_eq!(deltas(&chunks), ["hmm", "Good "]);
    assert_eq!(chunks[0]["kind"], "REASONING");
    assert_eq!(chunks[1]["kind"], "TEXT");
    scribe.write("day").await;
    scribe.complete().await;
    let end = watch.until("TurnCompleted").await;
    assert_eq!(kinds(&end), ["ChunkProduced", "MessageCompleted", "TurnCompleted"]);
    assert_eq!(end[1]["text"], "Good day");
    assert_eq!(end[1]["finishReason"], "STOP");
    assert_eq!(end[1]["messageId"], json!(scribe.message));
}

#[tokio::test]
async fn from_the_beginning_everything_is_there_with_names_and_times() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    scribe.write("good day").await;
    scribe.fail("the model hung up").await;
    let updates = Watch::conversation(&node, "alice", conversation, Some("0")).await.until("TurnFailed").await;
    assert_eq!(
        kinds(&updates),
        [
            "ConversationStarted",
            "MessageSent",
            "TurnStarted",
            "TurnPlanned",
            "AgentStarted",
            "ChunkProduced",
            "MessageFailed",
            "TurnFailed"
        ]
    );
    assert_eq!(updates[1]["author"], "alice");
    assert_eq!(updates[1]["text"], "hello");
    assert_eq!(updates[3]["reason"], "the only agent");
    assert_eq!(updates[6]["text"], "good day");
    assert_eq!(updates[6]["reason"], "the model hung up");
    assert_eq!(updates[7]["reason"], "the model hung up");
    assert_eq!(updates[5]["at"], updates[4]["at"]);
    assert_eq!(updates[5]["epoch"], 1);
    assert_eq!(updates[5]["index"], 0);
}

#[tokio::test]
async fn without_a_cursor_the_message_in_flight_comes_first() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    scribe.write("one ").await;
    scribe.write("two ").await;
    node.say(conversation, "wait").await;
    let mut watch = Watch::conversation(&node, "alice", conversation, None).await;
    let begun = watch.take(3).await;
    assert_eq!(kinds(&begun), ["AgentStarted", "ChunkProduced", "ChunkProduced"]);
    scribe.write("three").await;
    scribe.complete().await;
    let rest = watch.until("TurnCompleted").await;
    assert_eq!(deltas(&rest), ["three"]);
    for (place, update) in begun.iter().enumerate() {
        let again =
            Watch::conversation(&node, "alice", conversation, Some(cursor(update))).await.until("TurnCompleted").await;
        let wanted: Vec<_> = begun[place + 1..].iter().chain(&rest).cloned().collect();
        assert_eq!(again, wanted, "after {}", cursor(update));
    }
}

#[tokio::test]
async fn without_a_cursor_a_quiet_conversation_is_silent_until_something_happens() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    node.say(conversation, "long past").await;
    let mut watch = Watch::conversation(&node, "alice", conversation, None).await;
    // The stream is asked for once before anything happens, as a client does.
    let waiting = tokio::spawn(async move { watch.update().await });
    tokio::task::yield_now().await;
    let (message, _) = node.say(conversation, "now").await;
    let update = waiting.await.unwrap();
    assert!(update["text"] == "now" && update["messageId"] == json!(message), "{update:#}");
}

#[tokio::test]
async fn chunks_can_be_left_out() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut watch = Watch::with(&node, "alice", json!({ "id": conversation, "after": "0", "chunks": false })).await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    scribe.write("good ").await;
    node.say(conversation, "wait").await;
    scribe.write("day").await;
    scribe.complete().await;
    let updates = watch.until("TurnCompleted").await;
    assert_eq!(
        kinds(&updates),
        [
            "ConversationStarted",
            "MessageSent",
            "TurnStarted",
            "TurnPlanned",
            "AgentStarted",
            "MessageSent",
            "MessageCompleted",
            "TurnCompleted"
        ]
    );
    let rest =
        Watch::conversation(&node, "alice", conversation, Some(cursor(&updates[5]))).await.until("TurnCompleted").await;
    assert_eq!(deltas(&rest), ["good ", "day"]);
}

#[tokio::test]
async fn a_takeover_begins_the_message_anew() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut watch = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    scribe.write("lost ").await;
    assert_eq!(deltas(&watch.until("ChunkProduced").await), ["lost "]);
    scribe.claim().await;
    scribe.write("won").await;
    scribe.complete().await;
    let rest = watch.until("TurnCompleted").await;
    assert_eq!(kinds(&rest), ["AgentStarted", "ChunkProduced", "MessageCompleted", "TurnCompleted"]);
    assert_eq!(rest[0]["epoch"], 2);
    assert_eq!(rest[1]["index"], 0);
    assert_eq!(rest[2]["text"], "won");
}

#[tokio::test]
async fn an_erased_persons_words_and_answers_are_gone_and_cursors_stay() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    scribe.write("good ").await;
    scribe.write("day").await;
    scribe.complete().await;
    let before = Watch::conversation(&node, "alice", conversation, Some("0")).await.until("TurnCompleted").await;
    let input = json!({ "i": { "conversationId": conversation, "person": "bob" } });
    node.ask(
        "alice",
        "mutation ($i: ParticipantInput!) { addParticipant(input: $i) { cursor errors { code } } }",
        input,
    )
    .await;
    node.keyring.destroy_person(node.caller("alice").await.person).await.unwrap();
    node.keyring.forget();
    let after = Watch::conversation(&node, "bob", conversation, Some("0")).await.until("TurnCompleted").await;
    assert_eq!(
        kinds(&after),
        [
            "ConversationStarted",
            "MessageSent",
            "TurnStarted",
            "TurnPlanned",
            "AgentStarted",
            "MessageCompleted",
            "TurnCompleted"
        ]
    );
    assert_eq!(after[1]["text"], "");
    assert_eq!(after[5]["text"], "");
    let chunk = before.iter().find(|update| update["delta"] == "good ").unwrap();
    let rest = Watch::conversation(&node, "bob", conversation, Some(cursor(chunk))).await.until("TurnCompleted").await;
    assert_eq!(kinds(&rest), ["MessageCompleted", "TurnCompleted"]);
}
