//! A model server that misbehaves: the answer fails once, with what was said so far and a reason that a person can read.

use std::time::Duration;

use serde_json::Value;
use tests::client::{is_end, is_turn_end, text};
use tests::history::History;
use tests::sandbox::{Form, Role, Sandbox};
use tests::upstream::{Step, Upstream, words};

fn say(words: &[&str]) -> Vec<Step> {
    words.iter().map(|word| Step::Say(format!("{word} "))).collect()
}

/// The steps of a fault, by its name.
fn script(fault: &str) -> Vec<Step> {
    let begun = say(&["so", "far"]);
    let then = |step: Step| begun.iter().cloned().chain([Step::Wait(Duration::from_millis(50)), step]).collect();
    match fault {
        "refuses" => vec![Step::Status(400)],
        "cuts" => then(Step::Cut),
        "hangs" => then(Step::Hang),
        "is silent" => vec![Step::Hang],
        "sends garbage" => then(Step::Raw("data: {not json}\n\n".into())),
        "sends an endless line" => then(Step::Raw(format!("data: {}", "x".repeat(3 << 20)))),
        other => panic!("no such fault: {other}"),
    }
}

#[tokio::test]
async fn every_fault_of_a_model_ends_in_one_failed_message() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|body| script(&asked(body))).await;
        let sandbox = Sandbox::new(form).await.model(&upstream.base_url);
        let sandbox = sandbox.with("LOQUENT_TIMEOUTS_FIRST_TOKEN", "2s").with("LOQUENT_TIMEOUTS_IDLE", "2s");
        let cluster = sandbox.cluster().await;
        let alice = cluster.client("alice", 0);
        for fault in ["refuses", "cuts", "hangs", "is silent", "sends garbage", "sends an endless line"] {
            let sent = alice.send(None, fault).await;
            let seen = alice.updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
            History(&seen).check();
            let end = seen.iter().find(|update| is_end(update)).expect("an end");
            assert_eq!(end["__typename"], "MessageFailed", "{form}, {fault}: {end}");
            let partial = !matches!(fault, "refuses" | "is silent");
            assert_eq!(text(&end["text"]), if partial { "so far " } else { "" }, "{form}, {fault}");
            let reason = text(&end["reason"]);
            assert!(reason.contains(' ') && reason.len() < 500, "{form}, {fault}: {reason}");
        }
    }
}

/// The person's last words, as the model got them.
fn asked(body: &Value) -> String {
    let messages = body["messages"].as_array().expect("messages");
    text(&messages.last().expect("a message")["content"])
}

#[tokio::test]
async fn a_worker_that_slept_past_its_lease_changes_nothing() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|_| words(160, Duration::from_millis(100))).await;
        let cluster = Sandbox::new(form).await.model(&upstream.base_url).flag("--lease=2s").cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Hello").await;
        let mut updates = alice.updates(&sent.conversation, Some("0")).await;
        updates.until(|update| update["index"] == 5).await;
        // Which of the two works is not told: both sleep, one after the other, while the answer is longer than both naps.
        for index in 0..if form == Form::Scaled { 2 } else { 1 } {
            let worker = cluster.process(Role::Agents, index);
            worker.pause().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            worker.resume().await;
        }
        let mut updates = cluster.client("alice", 1).updates(&sent.conversation, Some("0")).await;
        let seen = updates.until(is_turn_end).await;
        History(&seen).check();
        assert_eq!(History(&seen).count("MessageCompleted"), 1, "{form}");
        if form == Form::Scaled {
            assert!(History(&seen).count("AgentStarted") > 1, "the other worker took over");
        }
    }
}
