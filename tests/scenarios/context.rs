//! `loquent context`: the request that a model saw, made again from events alone, to the last byte.

use std::time::Duration;

use tests::client::{is_turn_end, text};
use tests::history::History;
use tests::records::Records;
use tests::sandbox::Form;

use crate::team::{FOR_ALL, Stage, conversation};

#[tokio::test]
async fn every_request_of_a_team_is_made_again_byte_for_byte() {
    for form in Form::at_hand() {
        let Stage { sandbox, upstream, tools: _tools } = Stage::new(form, Duration::from_millis(5)).await;
        let cluster = sandbox.split_cluster().await;
        let alice = cluster.client("alice", 0);
        let id = conversation(&alice).await;
        let mut updates = alice.updates(&id, Some("0")).await;
        let mut seen = Vec::new();
        for question in [FOR_ALL, "Zażółć gęślą jaźń \u{1F642}, and where?"] {
            alice.send(Some(&id), question).await;
            seen.extend(updates.until(is_turn_end).await);
        }
        History(&seen).check();
        let records = Records::of(&cluster.sandbox, &id, 2).await;
        let sent = upstream.bodies();
        let calls: Vec<_> = records.of_type("model_call.started").collect();
        assert_eq!(calls.len(), sent.len(), "{form}");
        for (place, call) in calls.iter().enumerate() {
            let mut ids = vec![text(&call["call"])];
            if calls[place + 1..].iter().all(|later| later["run"] != call["run"]) {
                ids.push(text(&call["run"]));
            }
            for id in ids {
                let output = cluster.sandbox.command("context", &[&id]).output().await.expect("the executable");
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(0), "{form}, {id}: {why}");
                let body = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
                assert!(sent.iter().any(|sent| *sent == body), "{form}, {id}: {}", String::from_utf8_lossy(body));
            }
        }
        for (id, code) in [("call_01kb3v8zqvfz7a2m7f6d4c0000", 1), ("run_01kb3v8zqvfz7a2m7f6d4c0000", 1), ("nobody", 2)]
        {
            let output = cluster.sandbox.command("context", &[id]).output().await.expect("the executable");
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!((output.status.code(), why.trim().lines().count()), (Some(code), 1), "{form}, {id}: {why}");
        }
    }
}
