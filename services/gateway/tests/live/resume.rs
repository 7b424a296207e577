use crate::node::Node;
use crate::scribe::Scribe;
use crate::watch::{Watch, cursor, deltas};

#[tokio::test]
async fn every_cursor_is_followed_by_exactly_the_rest_also_in_mid_answer_and_after_its_end() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut first = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    let mut seen = first.until("AgentStarted").await;
    let mut resumed = Vec::new();
    for index in 0..6 {
        // A reader that resumes at every place there is, while the answer is being written.
        let last = cursor(seen.last().unwrap());
        resumed.push((seen.len(), Watch::conversation(&node, "alice", conversation, Some(last)).await));
        scribe.write(&format!("word {index} ")).await;
        if index % 2 == 1 {
            node.say(conversation, "more").await;
            seen.extend(first.take(2).await);
        } else {
            seen.extend(first.take(1).await);
        }
    }
    scribe.complete().await;
    seen.extend(first.until("TurnCompleted").await);
    for (place, mut watch) in resumed {
        assert_eq!(watch.until("TurnCompleted").await, seen[place..]);
    }
    for (place, update) in seen.iter().enumerate().take(seen.len() - 1) {
        let mut after = Watch::conversation(&node, "alice", conversation, Some(cursor(update))).await;
        assert_eq!(after.until("TurnCompleted").await, seen[place + 1..]);
        let mut back = Watch::resumed(&node, "alice", conversation, cursor(update)).await;
        assert_eq!(back.until("TurnCompleted").await, seen[place + 1..]);
    }
}

#[tokio::test]
async fn a_mutations_cursor_in_mid_answer_is_followed_by_what_came_after_it() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut all = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    scribe.write("before ").await;
    let (_, sequence) = node.say(conversation, "more").await;
    all.until("MessageSent").await;
    all.until("MessageSent").await;
    let mut live = Watch::conversation(&node, "alice", conversation, Some(&sequence.to_string())).await;
    scribe.write("after").await;
    scribe.complete().await;
    let live = live.until("TurnCompleted").await;
    assert_eq!(deltas(&live), ["after"]);
    let past = Watch::conversation(&node, "alice", conversation, Some(&sequence.to_string()))
        .await
        .until("TurnCompleted")
        .await;
    assert_eq!(past, live);
}

#[tokio::test]
async fn what_is_no_place_in_the_conversation_is_refused() {
    let node = Node::start().await;
    let (conversation, other) = (node.conversation().await, node.conversation().await);
    let (message, last) = node.say(conversation, "hello").await;
    Scribe::begin(&node, conversation, message).await.complete().await;
    node.say(other, "hello").await;
    for wrong in ["999".into(), format!("{last}.1-0"), format!("{last}.2-3")] {
        let mut watch = Watch::conversation(&node, "alice", conversation, Some(&wrong)).await;
        assert_eq!(watch.code().await, "BAD_USER_INPUT", "{wrong}");
        watch.completes().await;
    }
    for wrong in ["x", "2.9-1", "-1"] {
        let mut watch = Watch::conversation(&node, "alice", conversation, Some(wrong)).await;
        assert_eq!(watch.code().await, "BAD_USER_INPUT", "{wrong}");
    }
    assert_eq!(Watch::resumed(&node, "alice", conversation, "nonsense").await.code().await, "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_long_history_is_read_in_order() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    for round in 0..40 {
        let (message, _) = node.say(conversation, &format!("question {round}")).await;
        let mut scribe = Scribe::begin(&node, conversation, message).await;
        for word in 0..5 {
            scribe.write(&format!("{round}/{word} ")).await;
        }
        scribe.complete().await;
    }
    let last = node.store.last_sequence(conversation).await.unwrap();
    let mut watch = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    let mut count = 0;
    loop {
        let update = watch.update().await;
        count += 1;
        if cursor(&update) == last.to_string() {
            break;
        }
    }
    assert_eq!(count, 1 + 40 * (1 + 3 + 5 + 2));
}

#[tokio::test]
async fn a_reader_that_falls_far_behind_still_sees_everything_in_order() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut slow = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    let mut seen = slow.until("AgentStarted").await;
    scribe.write("first").await;
    seen.extend(slow.take(1).await);
    for index in 0..900 {
        scribe.write(&format!("word {index} ")).await;
        if index % 100 == 50 {
            node.say(conversation, "more").await;
        }
    }
    seen.extend(slow.take(700).await);
    scribe.complete().await;
    seen.extend(slow.until("TurnCompleted").await);
    let past = Watch::conversation(&node, "alice", conversation, Some("0")).await.until("TurnCompleted").await;
    assert_eq!(seen, past);
}
