//! What can be asked.

use serde_json::{Value, json};

use crate::stand::{SECRET, SEND, Stand, eventually, text};

#[tokio::test]
async fn you_read_your_own_writes() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let read = "query ($id: ID!, $at: Cursor) { conversation(id: $id, atLeast: $at) { id title sequence cursor createdAt \
        updatedAt archivedAt participants agents { name description model } messages { totalCount nodes { id text author \
        role status erased messageType metadata completedAt finishReason usage { inputTokens } conversation { id } run { id } } } } }";
    let sent = alice.ask(SEND, json!({ "input": { "text": "hello" } })).await["sendMessage"].take();
    let id = &sent["conversation"]["id"];
    let seen = alice.ask(read, json!({ "id": id, "at": sent["cursor"] })).await["conversation"].take();
    assert_eq!((&seen["sequence"], &seen["cursor"]), (&json!(2), &json!("2")));
    assert_eq!(seen["messages"]["totalCount"], 1);
    let message = &seen["messages"]["nodes"][0];
    assert_eq!((&message["text"], &message["author"]), (&json!("hello"), &json!("alice")));
    assert_eq!((&message["id"], &message["conversation"]["id"]), (&sent["message"]["id"], id));
    assert_eq!(message["completedAt"], sent["message"]["completedAt"]);
    assert_eq!(seen["agents"][0]["model"], "offline");

    // A chunk's cursor counts as the event before it.
    let chunk = alice.ask(read, json!({ "id": id, "at": "2.1-7" })).await;
    assert_eq!(chunk["conversation"]["sequence"], 2);
    assert_eq!(alice.code(read, json!({ "id": id, "at": "3" })).await, "BAD_USER_INPUT", "beyond the end");
    assert_eq!(alice.code(read, json!({ "id": id, "at": "nonsense" })).await, "BAD_USER_INPUT");
    let unknown = events::ConversationId::generate().to_string();
    for id in [unknown.as_str(), "nonsense"] {
        assert_eq!(alice.ask(read, json!({ "id": id, "at": "1" })).await["conversation"], json!(null));
    }
}

#[tokio::test]
async fn a_payload_s_lists_wait_for_the_read_model() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let send = "mutation { sendMessage(input: { text: \"hello\" }) { message { conversation { messages { nodes { text } } } } \
        conversation { messages(last: 1) { nodes { text } } turns { totalCount } } } }";
    let sent = alice.ask(send, json!({})).await["sendMessage"].take();
    assert_eq!(sent["conversation"]["messages"]["nodes"], json!([{ "text": "hello" }]));
    assert_eq!(sent["message"]["conversation"]["messages"]["nodes"], json!([{ "text": "hello" }]));
}

#[tokio::test]
async fn a_read_model_that_lags_is_a_timeout() {
    let stand = Stand::without_projector(gateway::Settings::new(SECRET)).await;
    let alice = stand.person("alice");
    let (id, cursor) = alice.conversation().await;
    let read = "query ($id: ID!, $at: Cursor) { conversation(id: $id, atLeast: $at) { id } }";
    let begun = std::time::Instant::now();
    assert_eq!(alice.code(read, json!({ "id": id, "at": cursor })).await, "TIMEOUT");
    assert!((4..8).contains(&begun.elapsed().as_secs()));
}

#[tokio::test]
async fn lists_come_in_pages_from_both_ends() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (id, _) = alice.conversation().await;
    let mut cursor = Value::Null;
    for number in 0..5 {
        cursor = alice.say(&id, &number.to_string()).await["cursor"].take();
    }
    let page = async |arguments: &str| {
        let query = format!(
            "query ($id: ID!, $at: Cursor) {{ conversation(id: $id, atLeast: $at) {{ messages{arguments} {{ totalCount \
             nodes {{ text }} edges {{ cursor node {{ text }} }} \
             pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
        );
        alice.ask(&query, json!({ "id": id, "at": cursor })).await["conversation"]["messages"].take()
    };
    let words = |page: &Value| {
        let nodes = page["nodes"].as_array().expect("a list");
        nodes.iter().map(|node| text(&node["text"])).collect::<Vec<_>>().join(" ")
    };
    let all = page("").await;
    assert_eq!((words(&all), &all["totalCount"]), ("0 1 2 3 4".to_owned(), &json!(5)));
    let first = page("(first: 2)").await;
    assert_eq!(words(&first), "0 1");
    assert_eq!(
        (&first["pageInfo"]["hasNextPage"], &first["pageInfo"]["hasPreviousPage"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(first["pageInfo"]["endCursor"], first["edges"][1]["cursor"]);
    let next = page(&format!("(first: 2, after: {})", first["pageInfo"]["endCursor"])).await;
    assert_eq!(words(&next), "2 3");
    let last = page("(last: 2)").await;
    assert_eq!((words(&last), &last["pageInfo"]["hasPreviousPage"]), ("3 4".to_owned(), &json!(true)));
    let before = page(&format!("(last: 2, before: {})", last["pageInfo"]["startCursor"])).await;
    assert_eq!(words(&before), "1 2");
    for arguments in ["(first: 101)", "(first: -1)", "(last: 101)", "(first: 1, last: 1)", "(first: 1, after: \"x y\")"]
    {
        let query = format!("query ($id: ID!) {{ conversation(id: $id) {{ messages{arguments} {{ totalCount }} }} }}");
        assert_eq!(alice.code(&query, json!({ "id": id })).await, "BAD_USER_INPUT", "{arguments}");
    }
}

#[tokio::test]
async fn conversations_are_one_s_own_oldest_first() {
    let stand = Stand::start().await;
    let (alice, bob) = (stand.person("alice"), stand.person("bob"));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(alice.conversation().await.0);
        bob.conversation().await;
    }
    let list = "{ conversations(first: 2) { totalCount nodes { id } pageInfo { hasNextPage } } }";
    let page = eventually(async || {
        let page = alice.ask(list, json!({})).await["conversations"].take();
        // Rows and their number are two questions: while rows come in, one may be older.
        (page["totalCount"] == 3 && page["pageInfo"]["hasNextPage"] == true).then_some(page)
    });
    let page = page.await;
    assert_eq!(page["nodes"], json!([{ "id": ids[0] }, { "id": ids[1] }]));
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
}

#[tokio::test]
async fn turns_runs_and_their_messages_are_found_from_each_other() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (id, _) = alice.conversation().await;
    let start = "mutation ($id: ID!) { startAgent(input: { conversationId: $id, agent: \"assistant\" }) { \
        run { id } message { id } cursor } }";
    let started = alice.ask(start, json!({ "id": id })).await["startAgent"].take();
    let read = "query ($id: ID!, $at: Cursor) { conversation(id: $id, atLeast: $at) { \
        messages { nodes { id status run { id message { id } } } } \
        turns { totalCount edges { node { id status endedAt runs { id agent epoch message { id author } } } } } } }";
    let seen = alice.ask(read, json!({ "id": id, "at": started["cursor"] })).await["conversation"].take();
    let message = &seen["messages"]["nodes"][0];
    assert_eq!((&message["status"], &message["id"]), (&json!("STREAMING"), &started["message"]["id"]));
    assert_eq!((&message["run"]["id"], &message["run"]["message"]["id"]), (&started["run"]["id"], &message["id"]));
    let turn = &seen["turns"]["edges"][0]["node"];
    assert_eq!((&turn["status"], &turn["endedAt"]), (&json!("RUNNING"), &json!(null)));
    let run = &turn["runs"][0];
    assert_eq!((&run["id"], &run["message"]["author"]), (&started["run"]["id"], &json!("assistant")));
    let alone = alice
        .ask(
            "query ($id: ID!) { node(id: $id) { ... on Turn { runs { id message { id } } } } }",
            json!({ "id": turn["id"] }),
        )
        .await;
    assert_eq!(alone["node"]["runs"], json!([{ "id": run["id"], "message": { "id": message["id"] } }]));
    let one =
        alice.ask("query ($id: ID!) { run(id: $id) { model startedAt status } }", json!({ "id": run["id"] })).await;
    assert_eq!((&one["run"]["model"], &one["run"]["status"]), (&json!("offline"), &json!("RUNNING")));
}

#[tokio::test]
async fn what_was_erased_is_shown_as_such() {
    let stand = Stand::start().await;
    let (alice, bob) = (stand.person("alice"), stand.person("bob"));
    let (id, _) = alice.conversation().await;
    alice.say(&id, "forget me").await;
    let add = "mutation ($id: ID!) { addParticipant(input: { conversationId: $id, person: \"bob\" }) { cursor } }";
    let cursor = alice.ask(add, json!({ "id": id })).await["addParticipant"]["cursor"].take();
    let person = stand.keyring.find_person("default", "loquent", "alice").await.expect("keys").expect("alice");
    assert!(stand.keyring.destroy_person(person).await.expect("destroyed"));
    stand.keyring.forget();
    let read = "query ($id: ID!, $at: Cursor) { conversation(id: $id, atLeast: $at) { participants \
        messages { nodes { author text erased metadata messageType } } } }";
    let seen = bob.ask(read, json!({ "id": id, "at": cursor })).await["conversation"].take();
    assert_eq!(seen["participants"], json!(["erased", "bob"]));
    let message = json!({ "author": "erased", "text": "", "erased": true, "metadata": null, "messageType": "text" });
    assert_eq!(seen["messages"]["nodes"], json!([message]));
    // Whoever returns is somebody else.
    assert_eq!(stand.person("alice").ask(read, json!({ "id": id })).await["conversation"], json!(null));
}

#[tokio::test]
async fn too_many_nodes_and_too_deep_documents_are_refused() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let many = vec!["x"; 101];
    assert_eq!(
        alice.code("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": many })).await,
        "BAD_USER_INPUT"
    );
    let deep = format!(
        "{{ conversations {}{} }}",
        "{ nodes { messages { nodes { conversation ".repeat(6),
        "{ id }".to_owned() + &"} } } }".repeat(6)
    );
    assert_eq!(alice.code(&deep, json!({})).await, "BAD_USER_INPUT");
    let dear =
        "{ conversations(first: 100) { nodes { messages(first: 100) { nodes { id text author role status } } } } }";
    assert_eq!(alice.code(dear, json!({})).await, "BAD_USER_INPUT");
}
