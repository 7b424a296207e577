//! What mutations answer, and that a repeat answers the same.

use serde_json::{Value, json};

use crate::stand::{SEND, Stand, text};

#[tokio::test]
async fn a_conversation_is_started_renamed_and_archived() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let started = alice.start(json!({ "title": "Plans", "clientMutationId": "m1" })).await;
    let conversation = &started["conversation"];
    assert_eq!(started["clientMutationId"], "m1");
    assert_eq!(started["errors"], json!([]));
    assert_eq!((&conversation["title"], &conversation["participants"]), (&json!("Plans"), &json!(["alice"])));
    assert_eq!((&conversation["sequence"], &started["cursor"]), (&json!(1), &json!("1")));
    assert_eq!(conversation["agents"], json!([{ "name": "assistant" }]));
    let id = text(&conversation["id"]);

    let rename = "mutation ($id: ID!, $title: String!) { renameConversation(input: { conversationId: $id, title: $title }) \
        { conversation { title cursor archivedAt } cursor errors { code message path __typename } } }";
    let renamed = alice.ask(rename, json!({ "id": id, "title": "Better plans" })).await;
    let expected = json!({ "title": "Better plans", "cursor": "2", "archivedAt": null });
    assert_eq!(renamed["renameConversation"]["conversation"], expected);
    let long = alice.ask(rename, json!({ "id": id, "title": "t".repeat(10_000) })).await;
    let errors = &long["renameConversation"]["errors"][0];
    assert_eq!((&errors["code"], &errors["__typename"]), (&json!("TITLE_TOO_LONG"), &json!("Rejection")));
    assert_eq!(errors["path"], json!(["input", "title"]));
    assert_eq!(long["renameConversation"]["conversation"], json!(null));
    assert_eq!(long["renameConversation"]["cursor"], json!(null));

    let archive = "mutation ($id: ID!) { archiveConversation(input: { conversationId: $id }) \
        { conversation { archivedAt updatedAt } cursor errors { code } } }";
    let archived = alice.ask(archive, json!({ "id": id })).await["archiveConversation"].take();
    assert_eq!(archived["conversation"]["archivedAt"], archived["conversation"]["updatedAt"]);
    assert!(text(&archived["conversation"]["archivedAt"]).ends_with('Z'));
    assert_eq!(archived["cursor"], "3");
    let refused = alice.say(&id, "too late").await;
    assert_eq!(refused["errors"][0]["code"], "CONVERSATION_ARCHIVED");
    assert_eq!((&refused["message"], &refused["conversation"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn a_sent_message_comes_back_as_it_was_decided() {
    // Nothing fills the read model here: what is answered does not need it.
    let stand = Stand::without_projector(gateway::Settings::new(crate::stand::SECRET)).await;
    let alice = stand.person("alice");
    let input = json!({ "text": "Hello, w\u{f6}rld", "metadata": { "a": [1, null] }, "clientMutationId": "c" });
    let sent = alice.ask(SEND, json!({ "input": input })).await["sendMessage"].take();
    let message = &sent["message"];
    assert_eq!(message["text"], "Hello, w\u{f6}rld");
    assert_eq!((&message["role"], &message["author"]), (&json!("USER"), &json!("alice")));
    assert_eq!((&message["status"], &message["erased"]), (&json!("COMPLETED"), &json!(false)));
    assert_eq!((&message["messageType"], &message["metadata"]), (&json!("text"), &json!({ "a": [1, null] })));
    assert_eq!((&message["conversation"]["id"], &message["run"]), (&sent["conversation"]["id"], &json!(null)));
    assert_eq!((&sent["cursor"], &sent["conversation"]["sequence"]), (&json!("2"), &json!(2)));
    assert_eq!(sent["clientMutationId"], "c");

    let typed = json!({ "conversationId": sent["conversation"]["id"], "text": "x", "messageType": "markdown" });
    let typed = alice.ask(SEND, json!({ "input": typed })).await;
    assert_eq!(typed["sendMessage"]["message"]["messageType"], "markdown");
    for nothing in [json!(null), json!("text")] {
        let plain = json!({ "conversationId": sent["conversation"]["id"], "text": "x", "messageType": nothing });
        let plain = alice.ask(SEND, json!({ "input": plain })).await;
        assert_eq!(plain["sendMessage"]["message"]["messageType"], "text");
    }
}

#[tokio::test]
async fn fields_are_answered_in_the_order_of_the_question() {
    let stand = Stand::start().await;
    let query = "mutation { sendMessage(input: { text: \"x\" }) { message { text conversation { title id } status } errors { code } } }";
    let response = stand.person("alice").raw(&json!({ "query": query })).await;
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    let text = String::from_utf8_lossy(&bytes);
    let places: Vec<_> =
        ["message", "text", "conversation", "title", "\"id", "status", "errors"].map(|key| text.find(key)).into();
    assert!(places.is_sorted() && places[0].is_some(), "{text}");
}

#[tokio::test]
async fn an_agent_that_was_started_waits_for_a_worker() {
    let stand = Stand::without_projector(gateway::Settings::new(crate::stand::SECRET)).await;
    let alice = stand.person("alice");
    let (conversation, _) = alice.conversation().await;
    let start = "mutation ($input: StartAgentInput!) { startAgent(input: $input) { \
        run { id agent model status epoch endedAt usage { inputTokens } error message { id status } } \
        message { id role author text status erased run { id } conversation { id } } \
        cursor errors { code path } clientMutationId } }";
    let input = json!({ "conversationId": conversation, "agent": "assistant", "instructions": "be brief" });
    let started = alice.ask(start, json!({ "input": input })).await["startAgent"].take();
    let (run, message) = (&started["run"], &started["message"]);
    assert_eq!((&run["status"], &run["epoch"], &run["model"]), (&json!("RUNNING"), &json!(0), &json!("offline")));
    assert_eq!((&run["message"]["id"], &message["run"]["id"]), (&message["id"], &run["id"]));
    assert_eq!((&message["role"], &message["author"]), (&json!("ASSISTANT"), &json!("assistant")));
    assert_eq!(message["conversation"]["id"], json!(conversation));
    let busy = alice.ask(start, json!({ "input": input })).await["startAgent"].take();
    assert_eq!(busy["errors"][0]["code"], "TURN_RUNNING");
    assert_eq!((&busy["run"], &busy["message"]), (&json!(null), &json!(null)));
    let unknown = json!({ "conversationId": conversation, "agent": "nobody" });
    let unknown = alice.ask(start, json!({ "input": unknown })).await["startAgent"].take();
    assert!(["UNKNOWN_AGENT", "TURN_RUNNING"].contains(&unknown["errors"][0]["code"].as_str().expect("a code")));
}

#[tokio::test]
async fn a_key_that_was_used_gives_the_first_answer_again() {
    let stand = Stand::start().await;
    let send =
        async |person: crate::stand::Person<'_>, input: Value| person.answer(SEND, json!({ "input": input })).await;
    let input = json!({ "text": "once", "idempotencyKey": "k1", "clientMutationId": "a" });
    let first = send(stand.person("alice"), input).await["data"]["sendMessage"].take();
    // Another clientMutationId is no other input; the header is the same key in another place.
    let again = json!({ "text": "once", "idempotencyKey": "k1", "clientMutationId": "b" });
    let again = send(stand.person("alice"), again).await["data"]["sendMessage"].take();
    for header in ["k1", "\"k1\""] {
        let by_header = stand.person("alice").with("idempotency-key", header);
        let by_header = send(by_header, json!({ "text": "once" })).await["data"]["sendMessage"].take();
        assert_eq!(by_header["message"], first["message"]);
    }
    assert_eq!((&again["message"], &again["cursor"]), (&first["message"], &first["cursor"]));
    assert_eq!(again["clientMutationId"], "b");
    let other = send(stand.person("alice"), json!({ "text": "twice", "idempotencyKey": "k1" })).await;
    assert_eq!(other["errors"][0]["extensions"]["code"], "IDEMPOTENCY_KEY_REUSED");
    // The input's key wins; another person's or tenant's key is another key.
    let wins = stand.person("alice").with("idempotency-key", "k2");
    let wins = send(wins, json!({ "text": "once", "idempotencyKey": "k1" })).await;
    assert_eq!(wins["data"]["sendMessage"]["message"], first["message"]);
    for stranger in [stand.person("bob"), stand.person_of("acme", "alice")] {
        let theirs = send(stranger, json!({ "text": "once", "idempotencyKey": "k1" })).await;
        assert_ne!(theirs["data"]["sendMessage"]["message"]["id"], first["message"]["id"]);
    }
    for key in ["".to_owned(), "k".repeat(256)] {
        let bad = send(stand.person("alice"), json!({ "text": "once", "idempotencyKey": key })).await;
        assert_eq!(bad["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn malformed_input_is_the_caller_s() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (conversation, _) = alice.conversation().await;
    let cases = [
        json!({ "conversationId": conversation, "text": "" }),
        json!({ "conversationId": conversation, "text": "x".repeat(256 * 1024 + 1) }),
        json!({ "conversationId": conversation, "text": "x", "metadata": { "a": "y".repeat(16 * 1024) } }),
        json!({ "conversationId": conversation }),
        json!({ "conversationId": conversation, "text": 7 }),
        json!({ "conversationId": conversation, "text": "x", "unknown": 1 }),
    ];
    for input in cases {
        assert_eq!(alice.code(SEND, json!({ "input": input })).await, "BAD_USER_INPUT");
    }
    let edge = json!({ "conversationId": conversation, "text": "x".repeat(256 * 1024) });
    assert_eq!(alice.ask(SEND, json!({ "input": edge })).await["sendMessage"]["errors"], json!([]));
}
