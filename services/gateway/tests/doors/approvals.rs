//! Who decides about tool calls, and that one decision counts.

use commands::Catalog;
use commands::rules::Approvers;
use events::{CallId, ConversationId};
use gateway::{ArgumentCheck, Settings};
use serde_json::{Value, json};

use crate::stand::scribe::Scribe;
use crate::stand::{Person, SECRET, Stand, eventually, text};

const CALL: &str = "id tool arguments status result error requestedAt expiresAt endedAt decidedBy cached run { id }";

fn approve() -> String {
    format!(
        "mutation ($input: ApproveToolCallInput!) {{ approveToolCall(input: $input) {{ toolCall {{ {CALL} }} cursor \
         errors {{ code message path }} clientMutationId }} }}"
    )
}

fn reject() -> String {
    format!(
        "mutation ($input: RejectToolCallInput!) {{ rejectToolCall(input: $input) {{ toolCall {{ {CALL} }} cursor \
         errors {{ code path }} }} }}"
    )
}

fn tool_call() -> String {
    format!("query ($id: ID!) {{ toolCall(id: $id) {{ {CALL} }} node(id: $id) {{ __typename id }} }}")
}

const PENDING: &str = "query ($first: Int, $after: String) { pendingApprovals(first: $first, after: $after) { \
    totalCount nodes { id } edges { cursor node { id } } pageInfo { hasNextPage } } }";

/// A tool call of a question of Alice's that waits for a person.
async fn waiting(stand: &Stand, arguments: &str) -> (Scribe, CallId) {
    let (id, message) = stand.person("alice").question().await;
    let mut scribe = Scribe::begin(stand, id, message).await;
    let call = scribe.want(arguments, true).await;
    (scribe, call)
}

async fn seen(stand: &Stand, person: &Person<'_>, conversation: ConversationId, call: CallId) -> Value {
    let last = stand.store.last_sequence(conversation).await.expect("a sequence");
    let at_least = "query ($id: ID!, $at: Cursor) { conversation(id: $id, atLeast: $at) { id } }";
    person.ask(at_least, json!({ "id": conversation, "at": last.to_string() })).await;
    person.ask(&tool_call(), json!({ "id": call })).await["toolCall"].take()
}

#[tokio::test]
async fn a_tool_call_is_allowed_with_other_arguments_and_once() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (mut scribe, call) = waiting(&stand, "{\"page\":7}").await;
    let before = seen(&stand, &alice, scribe.conversation, call).await;
    assert_eq!((&before["status"], &before["arguments"]), (&json!("WAITING"), &json!({ "page": 7 })));
    assert_eq!((&before["run"]["id"], &before["tool"]), (&json!(scribe.run), &json!("lookup")));
    assert_eq!((&before["decidedBy"], &before["endedAt"]), (&json!(null), &json!(null)));
    assert!(before["expiresAt"].is_string());
    let input =
        json!({ "toolCallId": call, "arguments": { "page": 8 }, "idempotencyKey": "k", "clientMutationId": "c" });
    let first = alice.ask(&approve(), json!({ "input": input })).await["approveToolCall"].take();
    let decided = &first["toolCall"];
    assert_eq!((&first["errors"], &first["clientMutationId"]), (&json!([]), &json!("c")));
    assert_eq!((&decided["status"], &decided["decidedBy"]), (&json!("REQUESTED"), &json!("alice")));
    assert_eq!(decided["arguments"], json!({ "page": 8 }));
    for other in [approve(), reject()] {
        let late = alice.ask(&other, json!({ "input": { "toolCallId": call } })).await;
        let late = late.as_object().and_then(|data| data.values().next()).cloned().expect("a payload");
        assert_eq!(late["errors"][0]["code"], "ALREADY_DECIDED");
        assert_eq!(late["errors"][0]["path"], json!(["input", "toolCallId"]));
        assert_eq!(late["toolCall"], json!(null));
    }
    scribe.take_tool(call).await;
    scribe.tool_gave(call, "{\"found\":true}").await;
    let done = seen(&stand, &alice, scribe.conversation, call).await;
    assert_eq!((&done["status"], &done["result"]), (&json!("COMPLETED"), &json!({ "found": true })));
    // A repeat answers the same cursor, and the call as it is by now.
    let again = alice.ask(&approve(), json!({ "input": input })).await["approveToolCall"].take();
    assert_eq!((&again["cursor"], &again["toolCall"]["status"]), (&first["cursor"], &json!("COMPLETED")));
    let other = json!({ "toolCallId": call, "arguments": { "page": 9 }, "idempotencyKey": "k" });
    assert_eq!(alice.code(&approve(), json!({ "input": other })).await, "IDEMPOTENCY_KEY_REUSED");
    scribe.complete().await;
}

#[tokio::test]
async fn a_tool_call_is_forbidden_and_the_reason_is_kept() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (scribe, call) = waiting(&stand, "not JSON").await;
    let input = json!({ "toolCallId": call, "reason": "too risky" });
    let answer = alice.ask(&reject(), json!({ "input": input })).await["rejectToolCall"].take();
    let refused = &answer["toolCall"];
    assert_eq!((&refused["status"], &refused["error"]), (&json!("REJECTED"), &json!("too risky")));
    assert_eq!((&refused["arguments"], &refused["result"]), (&json!("not JSON"), &json!(null)));
    assert!(refused["endedAt"].is_string());
    assert_eq!(seen(&stand, &alice, scribe.conversation, call).await, *refused);
}

#[tokio::test]
async fn a_stopped_turn_cancels_what_waits() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (mut scribe, call) = waiting(&stand, "{}").await;
    scribe.stop().await;
    assert_eq!(seen(&stand, &alice, scribe.conversation, call).await["status"], "CANCELLED");
    let pending = alice.ask(PENDING, json!({})).await;
    assert_eq!(pending["pendingApprovals"]["totalCount"], 0);
    let late = alice.ask(&approve(), json!({ "input": { "toolCallId": call } })).await["approveToolCall"].take();
    assert_eq!(late["errors"][0]["code"], "ALREADY_DECIDED");
}

#[tokio::test]
async fn what_waits_is_listed_oldest_first_for_who_takes_part() {
    let stand = Stand::start().await;
    let (alice, bob) = (stand.person("alice"), stand.person("bob"));
    let mut calls = Vec::new();
    for _ in 0..3 {
        let (scribe, call) = waiting(&stand, "{}").await;
        seen(&stand, &alice, scribe.conversation, call).await;
        calls.push((scribe.conversation, call));
    }
    let listed = async |person: &Person<'_>, variables: Value| {
        let pending = person.ask(PENDING, variables).await["pendingApprovals"].take();
        let ids: Vec<_> = pending["nodes"].as_array().expect("a list").iter().map(|node| text(&node["id"])).collect();
        (ids, pending)
    };
    let (ids, all) = listed(&alice, json!({})).await;
    assert_eq!(ids, calls.iter().map(|(_, call)| call.to_string()).collect::<Vec<_>>());
    let (first, page) = listed(&alice, json!({ "first": 1 })).await;
    assert_eq!(
        (first, &page["totalCount"], &page["pageInfo"]["hasNextPage"]),
        (ids[..1].to_vec(), &json!(3), &json!(true))
    );
    let (rest, _) = listed(&alice, json!({ "after": all["edges"][0]["cursor"] })).await;
    assert_eq!(rest, ids[1..]);
    assert_eq!(alice.code(PENDING, json!({ "first": 101 })).await, "BAD_USER_INPUT");
    assert_eq!(listed(&bob, json!({})).await.0, Vec::<String>::new());
    let add =
        "mutation ($id: ID!) { addParticipant(input: { conversationId: $id, person: \"bob\" }) { errors { code } } }";
    alice.ask(add, json!({ "id": calls[1].0 })).await;
    seen(&stand, &alice, calls[1].0, calls[1].1).await;
    assert_eq!(listed(&bob, json!({})).await.0, ids[1..2]);
    let yes = bob.ask(&approve(), json!({ "input": { "toolCallId": calls[1].1 } })).await["approveToolCall"].take();
    assert_eq!(yes["toolCall"]["decidedBy"], "bob");
    eventually(async || listed(&bob, json!({})).await.0.is_empty().then_some(())).await;
}

#[tokio::test]
async fn the_settings_say_who_decides() {
    let others = Some("NOT_AN_APPROVER");
    let cases = [(Approvers::Requester, 0, others), (Approvers::Admins, 0, others), (Approvers::Participants, 1, None)];
    for (approvers, lists, refusal) in cases {
        let catalog = Catalog { approvers, ..Catalog::built_in("offline") };
        let stand = Stand::of(Settings::new(SECRET), catalog).await;
        stand.project();
        let (alice, bob) = (stand.person("alice"), stand.person("bob"));
        let (scribe, call) = waiting(&stand, "{}").await;
        let add = "mutation ($id: ID!) { addParticipant(input: { conversationId: $id, person: \"bob\" }) { errors { code } } }";
        alice.ask(add, json!({ "id": scribe.conversation })).await;
        seen(&stand, &bob, scribe.conversation, call).await;
        assert_eq!(bob.ask(PENDING, json!({})).await["pendingApprovals"]["totalCount"], lists, "{approvers:?}");
        let own = alice.ask(PENDING, json!({})).await["pendingApprovals"]["totalCount"].take();
        assert_eq!(own, i32::from(approvers != Approvers::Admins), "{approvers:?}");
        let answer = bob.ask(&approve(), json!({ "input": { "toolCallId": call } })).await["approveToolCall"].take();
        assert_eq!(answer["errors"][0]["code"].as_str(), refusal, "{approvers:?}");
    }
}

#[tokio::test]
async fn arguments_that_the_tool_does_not_take_decide_nothing() {
    let check = ArgumentCheck::new(|tool, arguments| match arguments.get("page") {
        Some(_) => Ok(()),
        None => Err(format!("{tool} needs a page")),
    });
    let stand = Stand::with(Settings { check_arguments: check, ..Settings::new(SECRET) }).await;
    let alice = stand.person("alice");
    let (_, call) = waiting(&stand, "{}").await;
    let edited = async |arguments: Value| json!({ "input": { "toolCallId": call, "arguments": arguments } });
    let refused = alice.ask(&approve(), edited(json!({ "other": 1 })).await).await["approveToolCall"].take();
    let expected =
        json!([{ "code": "INVALID_ARGUMENTS", "message": "lookup needs a page", "path": ["input", "arguments"] }]);
    assert_eq!((&refused["errors"], &refused["toolCall"]), (&expected, &json!(null)));
    for malformed in [json!([]), json!("text"), json!(7), json!({ "page": "x".repeat(256 * 1024) })] {
        assert_eq!(alice.code(&approve(), edited(malformed).await).await, "BAD_USER_INPUT");
    }
    let taken = alice.ask(&approve(), edited(json!(null)).await).await["approveToolCall"].take();
    assert_eq!((&taken["errors"], &taken["toolCall"]["arguments"]), (&json!([]), &json!({})));
}

#[tokio::test]
async fn to_strangers_there_is_no_tool_call() {
    let stand = Stand::start().await;
    let (scribe, call) = waiting(&stand, "{}").await;
    let alice = stand.person("alice");
    seen(&stand, &alice, scribe.conversation, call).await;
    let node = alice.ask(&tool_call(), json!({ "id": call })).await["node"].take();
    assert_eq!(node, json!({ "__typename": "ToolCall", "id": call }));
    for stranger in [stand.person("bob"), stand.person_of("acme", "alice")] {
        let found = stranger.ask(&tool_call(), json!({ "id": call })).await;
        assert_eq!(found, json!({ "toolCall": null, "node": null }));
        for mutation in [approve(), reject()] {
            assert_eq!(stranger.code(&mutation, json!({ "input": { "toolCallId": call } })).await, "NOT_FOUND");
            assert_eq!(
                stranger.code(&mutation, json!({ "input": { "toolCallId": "call_x" } })).await,
                "BAD_USER_INPUT"
            );
        }
        let again = "mutation ($id: ID!) { regenerateMessage(input: { messageId: $id }) { cursor } }";
        assert_eq!(stranger.code(again, json!({ "id": scribe.message })).await, "NOT_FOUND");
        let stop = "mutation ($id: ID!) { stopTurn(input: { conversationId: $id }) { cursor } }";
        assert_eq!(stranger.code(stop, json!({ "id": scribe.conversation })).await, "NOT_FOUND");
        let configure =
            "mutation ($id: ID!) { configureAgents(input: { conversationId: $id, agents: [] }) { cursor } }";
        assert_eq!(stranger.code(configure, json!({ "id": scribe.conversation })).await, "NOT_FOUND");
    }
    assert_eq!(alice.ask("query { toolCall(id: \"nonsense\") { id } }", json!({})).await["toolCall"], json!(null));
}
