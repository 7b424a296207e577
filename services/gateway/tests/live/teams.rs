//! Several runs at once, tools, and turns that are stopped.

use serde_json::{Value, json};

use crate::node::Node;
use crate::scribe::Scribe;
use crate::watch::{Watch, cursor, deltas, kinds};

/// What a reader gets of each message, in its order.
fn by_message(updates: &[Value]) -> std::collections::BTreeMap<String, Vec<Value>> {
    let mut messages = std::collections::BTreeMap::<_, Vec<_>>::new();
    for update in updates {
        // Cursors of two messages in flight depend on how these interleave.
        let mut update = update.clone();
        update.as_object_mut().unwrap().remove("cursor");
        let key = update["messageId"].as_str().unwrap_or_default().to_owned();
        messages.entry(key).or_default().push(update);
    }
    messages
}

#[tokio::test]
async fn two_runs_at_once_are_one_stream_that_can_be_resumed_everywhere() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut first = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    let mut team = Scribe::team(&node, conversation, message, 2).await;
    let (mut one, mut other) = (team.remove(0), team.remove(0));
    one.claim().await;
    other.claim().await;
    let mut seen = first.until("AgentStarted").await;
    seen.extend(first.until("AgentStarted").await);
    let mut resumed = Vec::new();
    for index in 0..5 {
        let last = cursor(seen.last().unwrap());
        resumed.push((seen.len(), Watch::conversation(&node, "alice", conversation, Some(last)).await));
        one.write(&format!("one {index} ")).await;
        other.think(&format!("other {index} ")).await;
        seen.extend(first.take(2).await);
    }
    one.complete().await;
    other.write("late").await;
    other.complete().await;
    seen.extend(first.until("TurnCompleted").await);
    let said = |updates: &[Value], message| {
        let of_message = updates.iter().filter(|update| update["messageId"] == json!(message)).cloned();
        deltas(&of_message.collect::<Vec<_>>()).concat()
    };
    assert_eq!(said(&seen, one.message), "one 0 one 1 one 2 one 3 one 4 ");
    assert_eq!(said(&seen, other.message), "other 0 other 1 other 2 other 3 other 4 late");
    for (place, mut watch) in resumed {
        let rest = watch.until("TurnCompleted").await;
        assert_eq!(by_message(&rest), by_message(&seen[place..]), "live, from {place}");
    }
    for (place, update) in seen.iter().enumerate().take(seen.len() - 1) {
        let rest = Watch::conversation(&node, "alice", conversation, Some(cursor(update))).await;
        let rest = { rest }.until("TurnCompleted").await;
        assert_eq!(by_message(&rest), by_message(&seen[place + 1..]), "later, from {place}");
        // Each of its cursors is valid again, and what follows it is the same as before.
        let middle = &rest[rest.len() / 2];
        let mut again = Watch::conversation(&node, "alice", conversation, Some(cursor(middle))).await;
        if rest.len() / 2 + 1 < rest.len() {
            assert_eq!(again.until("TurnCompleted").await, rest[rest.len() / 2 + 1..]);
        }
    }
}

#[tokio::test]
async fn without_a_cursor_all_messages_in_flight_come_first() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut team = Scribe::team(&node, conversation, message, 2).await;
    for scribe in &mut team {
        scribe.claim().await;
        scribe.write("begun").await;
    }
    let mut watch = Watch::conversation(&node, "alice", conversation, None).await;
    let begun = watch.take(4).await;
    assert_eq!(kinds(&begun), ["AgentStarted", "AgentStarted", "ChunkProduced", "ChunkProduced"]);
    for scribe in &mut team {
        scribe.complete().await;
    }
    let rest = watch.until("TurnCompleted").await;
    for (place, update) in begun.iter().enumerate() {
        let again = Watch::conversation(&node, "alice", conversation, Some(cursor(update))).await;
        let wanted: Vec<_> = begun[place + 1..].iter().chain(&rest).cloned().collect();
        assert_eq!(by_message(&{ again }.until("TurnCompleted").await), by_message(&wanted));
    }
}

#[tokio::test]
async fn a_reader_that_knows_one_of_two_messages_in_flight_resumes_and_sees_both() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut team = Scribe::team(&node, conversation, message, 3).await;
    team[0].claim().await;
    team[0].write("over").await;
    team[1].claim().await;
    team[0].complete().await;
    team[2].claim().await;
    let mut watch = Watch::conversation(&node, "alice", conversation, None).await;
    let begun = watch.take(2).await;
    assert_eq!((&begun[0]["messageId"], &begun[1]["messageId"]), (&json!(team[1].message), &json!(team[2].message)));
    let mut resumed = Watch::conversation(&node, "alice", conversation, Some(cursor(&begun[0]))).await;
    team[1].write("one").await;
    team[2].write("other").await;
    // The first message's chunks lie before the place; its end does not.
    let seen = resumed.take(4).await;
    let of = |scribe: &Scribe| {
        let of_message: Vec<_> = seen.iter().filter(|update| update["messageId"] == json!(scribe.message)).collect();
        of_message.iter().map(|update| update["__typename"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of(&team[0]), ["MessageCompleted"]);
    assert_eq!(of(&team[1]), ["ChunkProduced"]);
    assert_eq!(of(&team[2]), ["AgentStarted", "ChunkProduced"]);
    let mut again = Watch::conversation(&node, "alice", conversation, Some(cursor(&seen[0]))).await;
    assert_eq!(again.take(3).await, seen[1..]);
}

#[tokio::test]
async fn a_tool_call_is_seen_from_its_first_word_to_its_result() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut watch = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    watch.until("AgentStarted").await;
    scribe.write("Let me see. ").await;
    scribe.call_tool("{\"page\":").await;
    scribe.call_tool("7}").await;
    let call = scribe.want("{\"page\":7}", true).await;
    let wanted = watch.until("ToolCallRequested").await;
    assert_eq!(wanted[1]["kind"], "TOOL_CALL");
    let request = wanted.last().unwrap();
    assert_eq!((&request["tool"], &request["arguments"]), (&json!("lookup"), &json!({ "page": 7 })));
    assert_eq!((&request["toolCallId"], &request["needsApproval"]), (&json!(call), &json!(true)));
    let approve = "mutation ($id: ID!) { approveToolCall(input: { toolCallId: $id, arguments: { page: 8 } }) { errors { code } } }";
    let answer = node.ask("alice", approve, json!({ "id": call })).await;
    assert_eq!(answer["data"]["approveToolCall"]["errors"], json!([]), "{answer:#}");
    scribe.take_tool(call).await;
    scribe.tool_gave(call, "[1, 2]").await;
    let done = watch.until("ToolCallCompleted").await;
    assert_eq!(kinds(&done), ["ToolCallApproved", "ToolCallStarted", "ToolCallCompleted"]);
    assert_eq!((&done[0]["by"], &done[0]["editedArguments"]), (&json!("alice"), &json!({ "page": 8 })));
    assert_eq!((&done[1]["epoch"], &done[2]["result"]), (&json!(1), &json!([1, 2])));
    scribe.write("Page 7 it is.").await;
    scribe.complete().await;
    watch.until("TurnCompleted").await;
    // Long after: the same chunks, those of the tool call among them, in the same places.
    let all = Watch::conversation(&node, "alice", conversation, Some("0")).await.until("TurnCompleted").await;
    assert_eq!(deltas(&all), ["Let me see. ", "{\"page\":", "7}", "Page 7 it is."]);
    let end = all.iter().find(|update| update["__typename"] == "MessageCompleted").unwrap();
    assert_eq!(end["text"], "Let me see. Page 7 it is.");
}

#[tokio::test]
async fn what_a_tool_call_can_come_to_is_said_by_name() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut watch = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    let mut team = Scribe::team(&node, conversation, message, 3).await;
    let mut calls = Vec::new();
    for scribe in &mut team {
        scribe.claim().await;
        calls.push(scribe.want("no JSON", true).await);
    }
    let wanted = watch.until("ToolCallRequested").await;
    assert_eq!(wanted.last().unwrap()["arguments"], "no JSON");
    let reject =
        "mutation ($id: ID!) { rejectToolCall(input: { toolCallId: $id, reason: \"too risky\" }) { errors { code } } }";
    node.ask("alice", reject, json!({ "id": calls[0] })).await;
    let refused = watch.until("ToolCallRejected").await.pop().unwrap();
    assert_eq!((&refused["by"], &refused["refusal"]), (&json!("alice"), &json!("too risky")));
    let approve = "mutation ($id: ID!) { approveToolCall(input: { toolCallId: $id }) { errors { code } } }";
    for call in &calls[1..] {
        node.ask("alice", approve, json!({ "id": call })).await;
    }
    team[1].take_tool(calls[1]).await;
    team[1].tool_failed(calls[1], "no such page").await;
    let failed = watch.until("ToolCallFailed").await;
    assert_eq!(failed[0]["editedArguments"], json!(null));
    assert_eq!(failed.last().unwrap()["error"], "no such page");
    team[2].take_tool(calls[2]).await;
    team[2].stop().await;
    let uncertain = watch.until("ToolCallUncertain").await.pop().unwrap();
    assert_eq!(uncertain["toolCallId"], json!(calls[2]));
}

#[tokio::test]
async fn a_stopped_message_ends_with_what_it_had() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut watch = Watch::conversation(&node, "alice", conversation, Some("0")).await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    let mut alone = Watch::message(&node, "alice", scribe.message, None).await;
    scribe.write("half a ").await;
    let half = watch.until("ChunkProduced").await;
    let stop = "mutation ($id: ID!) { stopTurn(input: { conversationId: $id }) { turn { status } errors { code } } }";
    let asked = node.ask("alice", stop, json!({ "id": conversation }));
    let stopping = async {
        while node.commands.load(conversation).await.unwrap().unwrap().state.turn.as_ref().unwrap().stop.is_none() {
            tokio::task::yield_now().await;
        }
        scribe.write("word").await;
        scribe.stop().await;
    };
    let (answer, ()) = tokio::join!(asked, stopping);
    assert_eq!(answer["data"]["stopTurn"]["turn"]["status"], "STOPPED", "{answer:#}");
    let end = watch.until("TurnStopped").await;
    assert_eq!(kinds(&end), ["ChunkProduced", "MessageStopped", "TurnStopped"]);
    assert_eq!((&end[1]["text"], &end[1]["usage"]["inputTokens"]), (&json!("half a word"), &json!(3)));
    assert_eq!(end[2]["by"], "alice");
    alone.until("MessageStopped").await;
    alone.completes().await;
    let from_middle = Watch::conversation(&node, "alice", conversation, Some(cursor(half.last().unwrap()))).await;
    assert_eq!({ from_middle }.until("TurnStopped").await, end);
}

#[tokio::test]
async fn a_message_that_ended_before_the_cursor_completes_also_while_its_turn_goes_on() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut team = Scribe::team(&node, conversation, message, 2).await;
    team[0].claim().await;
    team[0].complete().await;
    let last = node.store.last_sequence(conversation).await.unwrap().to_string();
    Watch::message(&node, "alice", team[0].message, Some(&last)).await.completes().await;
}
