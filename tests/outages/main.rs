//! The broker or the database goes away and comes back. Needs `TEST_SERVICES_CONTROL`, a command that takes `stop-kafka`,
//! `start-kafka`, `stop-postgres` or `start-postgres`; without it these tests say so and pass.
//!
//! A test binary of its own, one test at a time: nobody else may need the services meanwhile.

use std::time::{Duration, Instant};

use tests::client::{Client, Sent, is_turn_end};
use tests::history::History;
use tests::sandbox::{Cluster, Form, Role, Sandbox};
use tests::{PATIENCE, setting};
use tokio::process::Command;
use tokio::sync::Mutex;

/// One outage at a time.
static TURN: Mutex<()> = Mutex::const_new(());

async fn control(what: &str) -> bool {
    let Ok(control) = std::env::var("TEST_SERVICES_CONTROL") else { return false };
    let done = Command::new("sh").args(["-c", &format!("{control} {what}")]).status().await;
    done.is_ok_and(|status| status.success())
}

fn possible() -> bool {
    let possible = std::env::var("TEST_SERVICES_CONTROL").is_ok() && Form::at_hand().contains(&Form::Scaled);
    if !possible {
        println!("skipped: TEST_SERVICES_CONTROL and the services are not set");
    }
    possible
}

async fn cluster() -> Cluster {
    Sandbox::new(Form::Scaled).await.with("LOQUENT_OFFLINE_PACE", "1ms").cluster().await
}

async fn check(client: &Client, conversation: &str, acknowledged: &[(Sent, String)]) {
    let mut updates = client.updates(conversation, Some("0")).await;
    let mut seen = Vec::new();
    while History(&seen).count("TurnCompleted") < acknowledged.len() {
        seen.extend(updates.until(is_turn_end).await);
    }
    History(&seen).check();
    History(&seen).has(acknowledged);
}

#[tokio::test]
async fn commands_are_accepted_while_the_broker_is_down() {
    if !possible() {
        return;
    }
    let _turn = TURN.lock().await;
    let cluster = cluster().await;
    let alice = cluster.client("alice", 0);
    let conversation = alice.start_conversation(None).await;
    let before = [Role::Gateway, Role::Relay].map(|role| cluster.process(role, 0).resident());
    assert!(control("stop-kafka").await);
    let outage = Duration::from_secs(setting("TEST_OUTAGE_SECONDS", 15));
    let begun = Instant::now();
    let mut acknowledged = Vec::new();
    while begun.elapsed() < outage {
        let words = format!("message {}", acknowledged.len());
        acknowledged.push((alice.send(Some(&conversation), &words).await, words));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let after = [Role::Gateway, Role::Relay].map(|role| cluster.process(role, 0).resident());
    assert!(control("start-kafka").await);
    let back = Instant::now();
    check(&cluster.client("alice", 1), &conversation, &acknowledged).await;
    println!("drained {} turns in {:?} after an outage of {outage:?}", acknowledged.len(), back.elapsed());
    for (before, after) in before.into_iter().zip(after) {
        assert!(after.saturating_sub(before) <= 64 << 20, "{} MiB more during the outage", (after - before) >> 20);
    }
}

#[tokio::test]
async fn a_database_that_was_away_loses_nothing_that_was_acknowledged() {
    if !possible() {
        return;
    }
    let _turn = TURN.lock().await;
    let cluster = cluster().await;
    let alice = cluster.client("alice", 0);
    let conversation = alice.start_conversation(None).await;
    let mut acknowledged = Vec::new();
    for round in 0..setting("TEST_OUTAGES", 2) {
        let sending = tokio::spawn(send_until_refused(alice.clone(), conversation.clone(), round));
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(control("stop-postgres").await);
        let (sent, refused) = sending.await.expect("the sender");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(control("start-postgres").await);
        let back = Instant::now();
        acknowledged.extend(sent);
        acknowledged.push((send_again(&alice, &conversation, &refused).await, refused));
        println!("accepted again {:?} after the database was back", back.elapsed());
    }
    check(&cluster.client("alice", 1), &conversation, &acknowledged).await;
}

/// Sends until one is not accepted, and answers which.
async fn send_until_refused(client: Client, conversation: String, round: u64) -> (Vec<(Sent, String)>, String) {
    let mut acknowledged = Vec::new();
    loop {
        let words = format!("round {round}, message {}", acknowledged.len());
        match client.try_send(Some(&conversation), &words, Some(&words)).await {
            Ok(sent) => acknowledged.push((sent, words)),
            Err(_) => return (acknowledged, words),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn send_again(client: &Client, conversation: &str, words: &str) -> Sent {
    let trying = async {
        loop {
            if let Ok(sent) = client.try_send(Some(conversation), words, Some(words)).await {
                return sent;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("accepted in time")
}
