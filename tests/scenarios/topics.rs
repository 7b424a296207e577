//! The log as analysts see it, with kcat; and the chain of hashes, checked by a script that shares no code with the product.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tests::client::is_turn_end;
use tests::sandbox::{Form, Sandbox, services};
use tests::upstream::{Upstream, words};
use tokio::process::Command;

#[tokio::test]
async fn kcat_reads_the_topics() {
    let Some((_, brokers)) = services().filter(|_| Form::at_hand().contains(&Form::Scaled)) else { return };
    let upstream = Upstream::start(|_| words(8, Duration::from_millis(5))).await;
    let cluster = Sandbox::new(Form::Scaled).await.model(&upstream.base_url).cluster().await;
    let alice = cluster.client("alice", 0);
    let sent = alice.send(None, "a text that must not be in clear").await;
    alice.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
    let topic = format!("{}conversations.v1", cluster.sandbox.topic_prefix);
    let records = kcat(&brokers, &topic).await;
    let types: Vec<_> = records.iter().map(|record| header(record, "ce_type")).collect();
    for expected in ["dev.loquent.message.sent.v1", "dev.loquent.message.completed.v1", "dev.loquent.turn.completed.v1"]
    {
        assert!(types.iter().any(|kind| kind == expected), "{expected} in {types:?}");
    }
    for (place, record) in records.iter().enumerate() {
        assert_eq!(record["key"], sent.conversation.as_str());
        assert_eq!(header(record, "ce_sequence"), format!("{:020}", place + 1));
        assert_eq!(header(record, "content-type"), "application/json");
    }
    let chunks = kcat(&brokers, &format!("{}chunks.v1", cluster.sandbox.topic_prefix)).await;
    assert!(chunks.iter().all(|chunk| header(chunk, "ce_type") == "dev.loquent.chunk.produced.v1"));
    assert!(!chunks.is_empty() && !format!("{records:?}{chunks:?}").contains("must not be in clear"));
}

fn header(record: &Value, name: &str) -> String {
    // kcat -J: names and values in turn.
    let headers = record["headers"].as_array().expect("headers");
    let place = headers.iter().position(|header| header == name).unwrap_or_else(|| panic!("{name} in {record}"));
    headers[place + 1].as_str().expect("a text").to_owned()
}

async fn kcat(brokers: &str, topic: &str) -> Vec<Value> {
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", brokers, "-t", topic, "-C", "-o", "beginning", "-e", "-q", "-J"]).stdin(Stdio::null());
    let output = kcat.output().await.expect("kcat is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn a_foreign_script_verifies_the_chain_from_the_store_and_from_the_topic() {
    for form in Form::at_hand() {
        let cluster = Sandbox::new(form).await.with("LOQUENT_OFFLINE_PACE", "1ms").cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Zażółć gęślą jaźń \u{1F642}").await;
        alice.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
        let mut places = vec![vec!["--store".to_owned(), cluster.sandbox.store().to_owned()]];
        if let (Form::Scaled, Some((_, brokers))) = (form, services()) {
            let topic = format!("{}conversations.v1", cluster.sandbox.topic_prefix);
            places.push(vec!["--brokers".into(), brokers, "--topic".into(), topic]);
        }
        for place in places {
            let mut script = Command::new("python3");
            script.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/verify_chain.py")).args(&place);
            let output = script.output().await.expect("python3 is installed");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{form}: {said}{why}");
            assert!(said.contains("1 conversation"), "{form}: {said}");
        }
    }
}
