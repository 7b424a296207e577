//! Turns: how they queue, stop and answer again, what they plan and what they cost.

use std::time::{Duration, Instant};

use events::ConversationId;
use serde_json::{Value, json};

use crate::stand::scribe::Scribe;
use crate::stand::{Person, SEND, Stand, text};

const STOP: &str = "mutation ($input: StopTurnInput!) { stopTurn(input: $input) { \
    turn { id status endedAt runs { status message { status text finishReason usage { inputTokens } } } } \
    cursor errors { code path } clientMutationId } }";
const AGAIN: &str = "mutation ($input: RegenerateMessageInput!) { regenerateMessage(input: $input) { \
    message { id status author run { id status } conversation { id } alternatives { id } } cursor errors { code path } } }";
const TURNS: &str = "query ($id: ID!, $at: Cursor) { conversation(id: $id, atLeast: $at) { \
    usage { inputTokens outputTokens } cost { amount currency estimated complete } \
    turns { nodes { id status plan reason usage { inputTokens } cost { amount currency complete } answer { id text } \
    runs { id status cost { amount } usage { inputTokens } toolCalls { id } } } } } }";

/// The conversation as the read model has it after all that has happened.
async fn turns(stand: &Stand, person: &Person<'_>, id: ConversationId) -> Value {
    let at = stand.store.last_sequence(id).await.expect("a sequence").to_string();
    person.ask(TURNS, json!({ "id": id, "at": at })).await["conversation"].take()
}

#[tokio::test]
async fn a_participant_says_who_answers_and_how() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (id, _) = alice.conversation().await;
    let configure = "mutation ($input: ConfigureAgentsInput!) { configureAgents(input: $input) { \
        conversation { agents { name tools } overlapPolicy toolApproval usage { inputTokens } cost { amount currency } } \
        cursor errors { code } clientMutationId } }";
    let input = json!({ "conversationId": id, "agents": ["writer", "code"], "overlapPolicy": "STEER", "toolApproval": "ASK",
        "clientMutationId": "c" });
    let answer = alice.ask(configure, json!({ "input": input })).await["configureAgents"].take();
    let agents = json!([{ "name": "writer", "tools": [] }, { "name": "code", "tools": [] }]);
    let expected = json!({ "agents": agents, "overlapPolicy": "STEER", "toolApproval": "ASK",
        "usage": { "inputTokens": 0 }, "cost": { "amount": "0", "currency": "USD" } });
    assert_eq!((&answer["conversation"], &answer["cursor"]), (&expected, &json!("2")));
    assert_eq!(answer["clientMutationId"], "c");
    // What is left out stays as it was.
    let input = json!({ "conversationId": id, "agents": [] });
    let answer = alice.ask(configure, json!({ "input": input })).await["configureAgents"].take();
    assert_eq!(answer["conversation"]["overlapPolicy"], "STEER");
    let input = json!({ "conversationId": id, "agents": ["nobody"] });
    let refused = alice.ask(configure, json!({ "input": input })).await["configureAgents"].take();
    assert_eq!((&refused["errors"][0]["code"], &refused["conversation"]), (&json!("UNKNOWN_AGENT"), &json!(null)));
    let seen = alice.ask(
        "query ($id: ID!) { conversation(id: $id, atLeast: \"3\") { overlapPolicy toolApproval agents { name } } }",
        json!({ "id": id }),
    );
    let expected = json!({ "overlapPolicy": "STEER", "toolApproval": "ASK", "agents": [] });
    assert_eq!(seen.await["conversation"], expected);
}

#[tokio::test]
async fn a_message_that_comes_while_a_turn_runs_is_queued_or_refused() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (id, message) = alice.question().await;
    assert_eq!(turns(&stand, &alice, id).await["turns"]["nodes"][0]["status"], "QUEUED");
    Scribe::begin(&stand, id, message).await;
    let input = json!({ "conversationId": id, "text": "now", "overlapPolicy": "REJECT" });
    let refused = alice.ask(SEND, json!({ "input": input })).await["sendMessage"].take();
    assert_eq!(refused["errors"][0]["code"], "TURN_RUNNING");
    let schema = json!({ "type": "object" });
    let input = json!({ "conversationId": id, "text": "later", "responseSchema": schema });
    assert_eq!(alice.ask(SEND, json!({ "input": input })).await["sendMessage"]["errors"], json!([]));
    let input = json!({ "conversationId": id, "text": "later", "responseSchema": "no object" });
    assert_eq!(alice.code(SEND, json!({ "input": input })).await, "BAD_USER_INPUT");
    let seen = turns(&stand, &alice, id).await;
    let nodes = seen["turns"]["nodes"].as_array().expect("a list");
    let statuses: Vec<_> = nodes.iter().map(|turn| text(&turn["status"])).collect();
    assert_eq!(statuses, ["RUNNING", "QUEUED"]);
    assert_eq!((&nodes[1]["plan"], &nodes[1]["answer"], &nodes[1]["runs"]), (&json!(null), &json!(null), &json!([])));
}

#[tokio::test]
async fn what_runs_stops_and_keeps_what_it_had() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (id, message) = alice.question().await;
    let mut scribe = Scribe::begin(&stand, id, message).await;
    scribe.write("half").await;
    let stopping = alice.ask(STOP, json!({ "input": { "conversationId": id, "clientMutationId": "s" } }));
    let hears = async {
        let stopping = async || {
            let loaded = stand.commands.load(id).await.expect("a store").expect("a conversation");
            loaded.state.turn.as_ref().is_some_and(|turn| turn.stop.is_some()).then_some(())
        };
        crate::stand::eventually(stopping).await;
        scribe.stop().await;
    };
    let (answer, ()) = tokio::join!(stopping, hears);
    let answer = &answer["stopTurn"];
    // The wish: started, sent, turn, plan, run, call, and then it.
    assert_eq!((&answer["cursor"], &answer["clientMutationId"]), (&json!("7"), &json!("s")));
    assert_eq!((&answer["errors"], &answer["turn"]["status"]), (&json!([]), &json!("STOPPED")));
    assert!(answer["turn"]["endedAt"].is_string());
    let run = &answer["turn"]["runs"][0];
    assert_eq!(run["status"], "STOPPED");
    let expected =
        json!({ "status": "STOPPED", "text": "half", "finishReason": "STOPPED", "usage": { "inputTokens": 3 } });
    assert_eq!(run["message"], expected);
    let nothing = alice.ask(STOP, json!({ "input": { "conversationId": id } })).await["stopTurn"].take();
    assert_eq!(nothing["errors"], json!([{ "code": "TURN_NOT_RUNNING", "path": ["input", "turnId"] }]));
    assert_eq!(nothing["turn"], json!(null));
}

#[tokio::test]
async fn a_turn_that_waits_leaves_the_queue_and_a_repeat_says_so_again() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (id, message) = alice.question().await;
    Scribe::begin(&stand, id, message).await;
    alice.say(&id.to_string(), "later").await;
    let seen = turns(&stand, &alice, id).await;
    let queued = &seen["turns"]["nodes"][1]["id"];
    let input = json!({ "input": { "conversationId": id, "turnId": queued, "idempotencyKey": "k" } });
    let first = alice.ask(STOP, input.clone()).await["stopTurn"].take();
    assert_eq!((&first["turn"]["id"], &first["turn"]["status"]), (queued, &json!("STOPPED")));
    let again = alice.ask(STOP, input).await["stopTurn"].take();
    assert_eq!(again, first);
    let query = "query ($id: ID!) { turn(id: $id) { status } node(id: $id) { __typename } }";
    let found = alice.ask(query, json!({ "id": queued })).await;
    assert_eq!(found, json!({ "turn": { "status": "STOPPED" }, "node": { "__typename": "Turn" } }));
    let bob = stand.person("bob");
    let found = bob.ask("query ($id: ID!) { turn(id: $id) { status } }", json!({ "id": queued })).await;
    assert_eq!(found["turn"], json!(null));
}

#[tokio::test]
async fn a_stop_that_takes_long_is_answered_after_two_seconds() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (id, message) = alice.question().await;
    Scribe::begin(&stand, id, message).await;
    let begun = Instant::now();
    let answer = alice.ask(STOP, json!({ "input": { "conversationId": id } })).await["stopTurn"].take();
    assert!((Duration::from_millis(1900)..Duration::from_secs(6)).contains(&begun.elapsed()));
    assert_eq!((&answer["turn"]["status"], &answer["errors"]), (&json!("RUNNING"), &json!([])));
    let again = alice.ask(STOP, json!({ "input": { "conversationId": id } })).await["stopTurn"].take();
    assert_eq!(again["errors"][0]["code"], "TURN_STOPPING");
}

#[tokio::test]
async fn the_last_question_is_answered_again_and_the_old_answer_stays() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (id, message) = alice.question().await;
    let mut first = Scribe::begin(&stand, id, message).await;
    first.write("first").await;
    let early = alice.ask(AGAIN, json!({ "input": { "messageId": first.message } })).await["regenerateMessage"].take();
    assert_eq!(early["errors"][0]["code"], "TURN_RUNNING");
    first.complete().await;
    let input = json!({ "input": { "messageId": first.message, "idempotencyKey": "again" } });
    let answer = alice.ask(AGAIN, input.clone()).await["regenerateMessage"].take();
    let new = answer["message"].clone();
    assert_eq!((&new["status"], &new["author"]), (&json!("STREAMING"), &json!("assistant")));
    assert_eq!((&new["run"]["status"], &new["conversation"]["id"]), (&json!("RUNNING"), &json!(id)));
    assert_eq!(new["alternatives"], json!([{ "id": first.message }]));
    let repeated = alice.ask(AGAIN, input).await["regenerateMessage"].take();
    assert_eq!((&repeated["message"]["id"], &repeated["cursor"]), (&new["id"], &answer["cursor"]));
    let mut second = Scribe::planned(&stand, id).await;
    second.claim().await;
    second.write("second").await;
    second.complete().await;
    let old = alice.ask(AGAIN, json!({ "input": { "messageId": first.message } })).await["regenerateMessage"].take();
    assert_eq!(old["errors"], json!([{ "code": "NOT_LAST_ANSWER", "path": ["input", "messageId"] }]));
    let at = stand.store.last_sequence(id).await.expect("a sequence").to_string();
    let read = "query ($id: ID!, $at: Cursor) { conversation(id: $id, atLeast: $at) { messages { nodes { \
        text supersededBy { text } alternatives { text } } } } }";
    let seen = alice.ask(read, json!({ "id": id, "at": at })).await["conversation"]["messages"]["nodes"].take();
    let expected = json!([
        { "text": "hello", "supersededBy": null, "alternatives": [] },
        { "text": "first", "supersededBy": { "text": "second" }, "alternatives": [{ "text": "second" }] },
        { "text": "second", "supersededBy": null, "alternatives": [{ "text": "first" }] },
    ]);
    assert_eq!(seen, expected);
    let third = alice.ask(AGAIN, json!({ "input": { "messageId": second.message } })).await["regenerateMessage"].take();
    assert_eq!(third["message"]["alternatives"], json!([{ "id": first.message }, { "id": second.message }]));
    let alone = "query ($id: ID!) { message(id: $id) { supersededBy { text } alternatives { text } } }";
    let found = alice.ask(alone, json!({ "id": first.message })).await["message"].take();
    assert_eq!(
        found,
        json!({ "supersededBy": { "text": "" }, "alternatives": [{ "text": "second" }, { "text": "" }] })
    );
    let mut third = Scribe::planned(&stand, id).await;
    third.claim().await;
    third.fail("cut off").await;
    let at = stand.store.last_sequence(id).await.expect("a sequence").to_string();
    let seen = alice.ask(read, json!({ "id": id, "at": at })).await["conversation"]["messages"]["nodes"].take();
    let by: Vec<_> = seen.as_array().expect("messages").iter().map(|message| message["supersededBy"].clone()).collect();
    assert_eq!(
        by,
        [json!(null), json!({ "text": "second" }), json!(null), json!(null)],
        "one that failed supersedes none"
    );
}

#[tokio::test]
async fn plan_answer_and_cost_are_there_as_they_come() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (id, message) = alice.question().await;
    let mut team = Scribe::team(&stand, id, message, 2).await;
    let seen = turns(&stand, &alice, id).await;
    assert_eq!(seen["turns"]["nodes"][0]["runs"][0]["cost"], json!(null));
    for scribe in &mut team {
        scribe.claim().await;
        scribe.write("a part").await;
    }
    let call = team[0].want("{}", true).await;
    let seen = turns(&stand, &alice, id).await;
    let turn = &seen["turns"]["nodes"][0];
    let steps: Vec<_> =
        team.iter().map(|scribe| json!({ "run": scribe.run, "agent": "assistant", "after": [] })).collect();
    assert_eq!(turn["plan"], json!({ "kind": "fixed", "steps": steps, "more": false }));
    assert_eq!((&turn["reason"], &turn["status"]), (&json!("the only agent"), &json!("RUNNING")));
    assert_eq!(turn["runs"][0]["status"], "WAITING");
    assert_eq!(turn["runs"][0]["toolCalls"], json!([{ "id": call }]));
    assert_eq!(turn["answer"]["id"], json!(team[1].message));
    assert_eq!(turn["cost"], json!({ "amount": "0.25", "currency": "EUR", "complete": true }));
    team[1].fail("no more").await;
    let seen = turns(&stand, &alice, id).await;
    assert_eq!(seen["turns"]["nodes"][0]["status"], "WAITING");
    team[0].stop().await;
    let seen = turns(&stand, &alice, id).await;
    let turn = &seen["turns"]["nodes"][0];
    assert_eq!((&turn["cost"]["amount"], &turn["usage"]["inputTokens"]), (&json!("0.5"), &json!(6)));
    assert_eq!(seen["usage"], json!({ "inputTokens": 6, "outputTokens": 4 }));
    let cost = json!({ "amount": "0.5", "currency": "EUR", "estimated": false, "complete": true });
    assert_eq!(seen["cost"], cost);
    let runs = &turn["runs"];
    assert_eq!((&runs[0]["cost"]["amount"], &runs[1]["cost"]["amount"]), (&json!("0.25"), &json!("0.25")));
}
