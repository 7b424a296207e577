//! Turns, models and tools in processes of their own, killed at random moments and put to sleep past their leases: every turn
//! ends, no write is done twice, and the bill is right.
//!
//! `TEST_KILLS` sets the rounds per role (2 if nothing is said; a campaign takes 20 and more), `TEST_SEED` the moments.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tests::client::is_turn_end;
use tests::history::History;
use tests::records::Records;
use tests::sandbox::{Cluster, Form, Role};
use tests::setting;
use tests::tool_server::ToolServer;
use tests::upstream::{Upstream, words};

use crate::kills::seed;
use crate::team::{FOR_ALL, Stage, conversation, notes, tooled};

#[tokio::test]
async fn killed_turns_lose_nothing() {
    campaign(Role::Turns).await;
}

#[tokio::test]
async fn killed_models_lose_nothing() {
    campaign(Role::Models).await;
}

#[tokio::test]
async fn killed_tools_lose_nothing_and_do_nothing_twice() {
    campaign(Role::Tools).await;
}

async fn campaign(role: Role) {
    let mut dice = StdRng::seed_from_u64(seed());
    for form in Form::at_hand() {
        if form == Form::Embedded && role != Role::Tools {
            continue; // One process: killing it once is killing it for all roles.
        }
        let Stage { sandbox, upstream, tools } = Stage::new(form, Duration::from_millis(60)).await;
        let mut cluster = sandbox.flag("--lease=2s").split_cluster().await;
        for round in 0..setting("TEST_KILLS", 2) {
            let pause = Duration::from_millis(dice.gen_range(0..5000));
            println!("{form}, {role:?}, round {round}: killed after {pause:?}");
            let index = dice.gen_range(0..2);
            one_round(&mut cluster, (role, index), pause, &upstream, &tools).await;
        }
    }
}

/// Asks two questions while a process is killed, starts it again, and checks everything.
async fn one_round(
    cluster: &mut Cluster,
    (role, index): (Role, usize),
    pause: Duration,
    upstream: &Upstream,
    tools: &ToolServer,
) {
    let asked = upstream.bodies().len();
    let alice = cluster.client("alice", 0);
    let id = conversation(&alice).await;
    for _ in 0..2 {
        alice.send(Some(&id), FOR_ALL).await;
    }
    tokio::time::sleep(pause).await;
    cluster.kill(role, index).await;
    cluster.start(role, index).await;
    let mut updates = cluster.client("alice", 1).updates(&id, Some("0")).await;
    let mut seen = updates.until(is_turn_end).await;
    seen.extend(updates.until(is_turn_end).await);
    History(&seen).check();
    assert_eq!(History(&seen).count("TurnCompleted"), 2, "{:?}", History(&seen).kinds());
    let records = Records::of(&cluster.sandbox, &id, 2).await;
    records.account_for(upstream.bodies().len() - asked);
    no_write_twice(&records, tools);
}

/// A write ran once, or, if its worker died, perhaps once.
fn no_write_twice(records: &Records, tools: &ToolServer) {
    let (ended, times) = (records.tool_calls(), tools.times());
    for wanted in records.of_type("tool_call.requested") {
        let call = wanted["call"].as_str().expect("an id");
        let (end, times) = (ended[call], times.get(call).copied().unwrap_or_default());
        match (wanted["writes"] == true, end) {
            (true, "completed") => assert_eq!(times, 1, "{wanted}"),
            (true, "uncertain") => assert!(times <= 1, "{wanted}: {times}"),
            (true, end) => panic!("{wanted}: {end}"),
            (false, end) => assert!(end == "completed" && times >= 1, "{wanted}: {end}, {times}"),
        }
    }
}

#[tokio::test]
async fn a_tool_worker_that_slept_past_its_lease_does_nothing_twice() {
    for form in Form::at_hand() {
        let (upstream, tools) = (Upstream::start(notes).await, ToolServer::start(Duration::ZERO).await);
        let sandbox = tooled(form, &upstream, &tools, "").await.flag("--lease=2s");
        let cluster = sandbox.split_cluster().await;
        let alice = cluster.client("alice", 0);
        tools.close();
        let sent = alice.send(None, "Write it down").await;
        let mut updates = alice.updates(&sent.conversation, Some("0")).await;
        updates.until(|update| update["__typename"] == "ToolCallStarted").await;
        while tools.asked().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        nap(&cluster, Role::Tools).await;
        tools.open();
        let seen = cluster.client("alice", 1).updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
        History(&seen).check();
        let records = Records::of(&cluster.sandbox, &sent.conversation, 1).await;
        assert_eq!((tools.asked().len(), records.tool_calls().len()), (1, 1), "{form}");
        records.account_for(upstream.bodies().len());
        if form == Form::Scaled {
            assert_eq!(records.count("tool_call.uncertain"), 1, "the other worker found it begun");
        }
    }
}

#[tokio::test]
async fn a_model_worker_that_slept_past_its_lease_writes_nothing() {
    for form in Form::at_hand() {
        let upstream = Upstream::start(|_| words(160, Duration::from_millis(100))).await;
        let tools = ToolServer::start(Duration::ZERO).await;
        let cluster = tooled(form, &upstream, &tools, "").await.flag("--lease=2s").split_cluster().await;
        let alice = cluster.client("alice", 0);
        let sent = alice.send(None, "Hello").await;
        let mut updates = alice.updates(&sent.conversation, Some("0")).await;
        updates.until(|update| update["index"] == 5).await;
        nap(&cluster, Role::Models).await;
        let seen = cluster.client("alice", 1).updates(&sent.conversation, Some("0")).await.until(is_turn_end).await;
        History(&seen).check();
        assert_eq!(History(&seen).count("MessageCompleted"), 1, "{form}");
        let records = Records::of(&cluster.sandbox, &sent.conversation, 1).await;
        records.account_for(upstream.bodies().len());
        let takeovers = records.count("agent.started") - 1;
        assert!(form == Form::Embedded || takeovers >= 1, "the other worker took over");
        assert_eq!(records.abandoned(), takeovers, "{form}: what a sleeper's call took is an estimate");
    }
}

/// Which of the two works is not told: both sleep past their lease, one after the other.
async fn nap(cluster: &Cluster, role: Role) {
    for index in 0..if cluster.sandbox.form == Form::Scaled { 2 } else { 1 } {
        let worker = cluster.process(role, index);
        worker.pause().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        worker.resume().await;
    }
}
