//! What is not yours does not exist, whatever id you name.

use serde_json::json;

use crate::stand::{Stand, eventually, text};

/// A conversation with a message, a turn and a run of Alice's, all of which the read model knows.
async fn alice_s(stand: &Stand) -> [String; 4] {
    let alice = stand.person("alice");
    let (conversation, _) = alice.conversation().await;
    let message = text(&alice.say(&conversation, "a secret of mine").await["message"]["id"]);
    let start = "mutation ($id: ID!) { startAgent(input: { conversationId: $id, agent: \"assistant\" }) { \
        run { id } cursor errors { code } } }";
    let started = alice.ask(start, json!({ "id": conversation })).await;
    let run = text(&started["startAgent"]["run"]["id"]);
    let turns = "query ($id: ID!, $at: Cursor) { conversation(id: $id, atLeast: $at) { turns { nodes { id } } } }";
    let at = &started["startAgent"]["cursor"];
    let turn = eventually(async || {
        let turns = alice.ask(turns, json!({ "id": conversation, "at": at })).await;
        turns["conversation"]["turns"]["nodes"][0]["id"].as_str().map(str::to_owned)
    });
    let turn = turn.await;
    [conversation, message, turn, run]
}

#[tokio::test]
async fn queries_give_null_to_strangers_and_to_other_tenants() {
    let stand = Stand::start().await;
    let ids = alice_s(&stand).await;
    let alice = stand.person("alice");
    let all = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let nodes = alice.ask(all, json!({ "ids": ids })).await;
    let kinds: Vec<_> =
        nodes["nodes"].as_array().expect("a list").iter().map(|node| text(&node["__typename"])).collect();
    assert_eq!(kinds, ["Conversation", "Message", "Turn", "AgentRun"]);
    for stranger in [stand.person("bob"), stand.person_of("acme", "alice"), stand.person_of("acme", "bob")] {
        let nodes = stranger.ask(all, json!({ "ids": ids })).await;
        assert_eq!(nodes["nodes"], json!([null, null, null, null]));
        for id in &ids {
            let node = stranger.ask("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
            assert_eq!(node["node"], json!(null));
        }
        let query = "query ($c: ID!, $m: ID!, $r: ID!) { conversation(id: $c) { id } \
            later: conversation(id: $c, atLeast: \"1\") { id } never: conversation(id: $c, atLeast: \"999\") { id } \
            message(id: $m) { id } run(id: $r) { id } conversations { totalCount nodes { id } } }";
        let answer = stranger.ask(query, json!({ "c": ids[0], "m": ids[1], "r": ids[3] })).await;
        let nothing = json!({ "conversation": null, "later": null, "never": null, "message": null, "run": null,
            "conversations": { "totalCount": 0, "nodes": [] } });
        assert_eq!(answer, nothing);
    }
}

#[tokio::test]
async fn mutations_give_not_found_to_strangers_and_to_other_tenants() {
    let stand = Stand::start().await;
    let [conversation, ..] = alice_s(&stand).await;
    let nowhere = events::ConversationId::generate().to_string();
    let mutations = [
        "renameConversation(input: { conversationId: $id, title: \"mine\" }) { cursor }",
        "archiveConversation(input: { conversationId: $id }) { cursor }",
        "addParticipant(input: { conversationId: $id, person: \"bob\" }) { cursor }",
        "removeParticipant(input: { conversationId: $id, person: \"alice\" }) { cursor }",
        "sendMessage(input: { conversationId: $id, text: \"hi\" }) { cursor }",
        "startAgent(input: { conversationId: $id, agent: \"assistant\" }) { cursor }",
    ];
    for stranger in [stand.person("bob"), stand.person_of("acme", "alice")] {
        for mutation in mutations {
            let query = format!("mutation ($id: ID!) {{ {mutation} }}");
            for id in [&conversation, &nowhere] {
                assert_eq!(stranger.code(&query, json!({ "id": id })).await, "NOT_FOUND", "{mutation}");
            }
            for malformed in ["", "x", "msg_01h455vb4pex5vsknk084sn02q", "conv_8zzzzzzzzzzzzzzzzzzzzzzzzz"] {
                let code = stranger.code(&query, json!({ "id": malformed })).await;
                assert_eq!(code, "BAD_USER_INPUT", "{mutation} {malformed}");
            }
        }
    }
}

#[tokio::test]
async fn who_comes_in_sees_everything_and_who_leaves_nothing_more() {
    let stand = Stand::start().await;
    let (alice, bob) = (stand.person("alice"), stand.person("bob"));
    let (conversation, _) = alice.conversation().await;
    alice.say(&conversation, "before bob").await;
    let change = |what: &str| {
        format!(
            "mutation ($id: ID!, $person: String!) {{ {what}(input: {{ conversationId: $id, person: $person }}) \
             {{ conversation {{ participants }} cursor errors {{ code path }} }} }}"
        )
    };
    let added = alice.ask(&change("addParticipant"), json!({ "id": conversation, "person": "bob" })).await;
    assert_eq!(added["addParticipant"]["conversation"]["participants"], json!(["alice", "bob"]));
    let read =
        "query ($id: ID!, $at: Cursor) { conversation(id: $id, atLeast: $at) { messages { nodes { text author } } } }";
    let seen = bob.ask(read, json!({ "id": conversation, "at": added["addParticipant"]["cursor"] })).await;
    assert_eq!(seen["conversation"]["messages"]["nodes"], json!([{ "text": "before bob", "author": "alice" }]));
    let again = alice.ask(&change("addParticipant"), json!({ "id": conversation, "person": "bob" })).await;
    let refused = json!([{ "code": "ALREADY_PARTICIPANT", "path": ["input", "person"] }]);
    assert_eq!(again["addParticipant"]["errors"], refused);
    assert_eq!(again["addParticipant"]["conversation"], json!(null));

    let left = bob.ask(&change("removeParticipant"), json!({ "id": conversation, "person": "bob" })).await;
    assert_eq!(left["removeParticipant"]["errors"], json!([]));
    assert_eq!(left["removeParticipant"]["conversation"], json!(null), "it does not exist for who has left it");
    let cursor = &left["removeParticipant"]["cursor"];
    alice.ask(read, json!({ "id": conversation, "at": cursor })).await;
    assert_eq!(bob.ask(read, json!({ "id": conversation })).await["conversation"], json!(null));
    assert_eq!(bob.ask(read, json!({ "id": conversation, "at": cursor })).await["conversation"], json!(null));
}
