//! Several agents, with tools, in several processes.

use std::time::Duration;

use serde_json::Value;
use tests::client::{is_turn_end, text};
use tests::history::History;
use tests::records::Records;
use tests::sandbox::Form;

use crate::team::{FOR_ALL, Stage, conversation};

#[tokio::test]
async fn a_team_with_tools_answers_and_a_reader_resumes_anywhere() {
    for form in Form::at_hand() {
        let Stage { sandbox, upstream, tools } = Stage::new(form, Duration::from_millis(15)).await;
        let cluster = sandbox.split_cluster().await;
        let (alice, elsewhere) = (cluster.client("alice", 0), cluster.client("alice", 1));
        let id = conversation(&alice).await;
        let mut live = elsewhere.updates(&id, Some("0")).await;
        alice.send(Some(&id), FOR_ALL).await;
        let seen = live.until(is_turn_end).await;
        let history = History(&seen);
        history.check();
        assert_eq!((history.count("AgentStarted"), history.count("MessageCompleted")), (5, 5), "{form}");
        assert_eq!((history.count("ToolCallCompleted"), history.count("TurnCompleted")), (2, 1), "{form}");
        let plan = &history.last("TurnPlanned")["plan"];
        assert_eq!((&plan["kind"], plan["steps"].as_array().map(Vec::len)), (&"rules".into(), Some(5)), "{form}");
        writer_knows_what_the_others_said(&upstream.calls());
        assert!(tools.times().values().all(|times| *times == 1) && tools.times().len() == 2, "{form}");
        let records = Records::of(&cluster.sandbox, &id, 1).await;
        assert_eq!(records.count("model_call.ended"), upstream.calls().len(), "{form}");
        records.account_for(6);
        for (place, update) in seen.iter().enumerate().take(seen.len() - 1).step_by(3) {
            let cursor = text(&update["cursor"]);
            let gateway = if place % 2 == 0 { &alice } else { &elsewhere };
            let rest = gateway.updates(&id, Some(&cursor)).await.until(is_turn_end).await;
            assert_eq!(unordered(&rest), unordered(&seen[place + 1..]), "{form}: after {cursor}");
            History(&[&seen[..=place], &rest[..]].concat()).check();
        }
    }
}

/// What was seen, whatever came first: chunks of messages in flight at once may interleave otherwise, so of their cursors only
/// the last event's place counts, and of a chunk's own nothing.
fn unordered(updates: &[Value]) -> Vec<String> {
    let content = |update: &Value| {
        let mut content = update.clone();
        let cursor = text(&update["cursor"]);
        let is_chunk = update["__typename"] == "ChunkProduced";
        content["cursor"] = if is_chunk { Value::Null } else { cursor.split('.').next().into() };
        content.to_string()
    };
    let mut all: Vec<_> = updates.iter().map(content).collect();
    all.sort_unstable();
    all
}

fn writer_knows_what_the_others_said(calls: &[Value]) {
    let is = |call: &&Value| call["messages"][0].to_string().contains("I am the writer.");
    let writer = calls.iter().find(is).expect("the writer was asked").to_string();
    for agent in ["researcher", "code", "image"] {
        assert!(writer.contains(&format!("## {agent}")), "{writer}");
    }
}
