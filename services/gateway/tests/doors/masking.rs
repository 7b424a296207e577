//! What is ours stays ours: no SQL, no path, no text of a defect leaves.

use serde_json::json;

use crate::stand::{SEND, Stand};

#[tokio::test]
async fn a_broken_store_is_not_described() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (conversation, _) = alice.conversation().await;
    let drop = database::sql("drop table events");
    stand.database.database.execute(drop).await.expect("dropped");
    let input = json!({ "conversationId": conversation, "text": "planted" });
    let answer = alice.answer(SEND, json!({ "input": input })).await;
    let code = answer["errors"][0]["extensions"]["code"].as_str().expect("a code");
    assert!(["INTERNAL", "UNAVAILABLE"].contains(&code), "{answer}");
    let text = answer.to_string().to_lowercase();
    for ours in ["sql", "table", "events", "no such", "planted", ".db", "/tmp"] {
        assert!(!text.contains(ours), "{ours} in {text}");
    }
}
