//! `kill -9` at random moments: what was acknowledged is there, every answer ends once, every reader sees everything once.
//!
//! `TEST_KILLS` sets the rounds per role (3 if nothing is said; a campaign takes 20 and more), `TEST_SEED` the moments.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tests::client::{Client, Sent, is_turn_end, text};
use tests::history::History;
use tests::sandbox::{Cluster, Form, Role, Sandbox};
use tests::upstream::{Upstream, words};
use tests::{PATIENCE, setting};

pub(crate) fn seed() -> u64 {
    let seed = setting("TEST_SEED", rand::random::<u32>().into());
    println!("TEST_SEED={seed}");
    seed
}

#[tokio::test]
async fn killed_gateways_lose_nothing() {
    campaign(Role::Gateway).await;
}

#[tokio::test]
async fn killed_agents_lose_nothing() {
    campaign(Role::Agents).await;
}

#[tokio::test]
async fn killed_projections_lose_nothing() {
    campaign(Role::Projections).await;
}

#[tokio::test]
async fn killed_relays_lose_nothing() {
    campaign(Role::Relay).await;
}

async fn campaign(role: Role) {
    let mut dice = StdRng::seed_from_u64(seed());
    for form in Form::at_hand() {
        if form == Form::Embedded && role != Role::Gateway {
            continue; // One process: killing it once is killing it for all roles.
        }
        let upstream = Upstream::start(|_| words(20, Duration::from_millis(20))).await;
        let sandbox = Sandbox::new(form).await.model(&upstream.base_url).flag("--lease=2s");
        let mut cluster = sandbox.cluster().await;
        for round in 0..setting("TEST_KILLS", 3) {
            let pause = Duration::from_millis(dice.gen_range(0..900));
            println!("{form}, {role:?}, round {round}: killed after {pause:?}");
            one_round(&mut cluster, role, dice.gen_range(0..2), pause).await;
        }
    }
}

/// Sends while a process is killed, starts it again, and checks everything.
async fn one_round(cluster: &mut Cluster, role: Role, index: usize, pause: Duration) {
    let conversation = cluster.client("alice", 0).start_conversation(None).await;
    let clients = [cluster.client("alice", 0), cluster.client("alice", 1)];
    let sending = tokio::spawn(send_many(clients.clone(), conversation.clone()));
    let reading = tokio::spawn(read_on(clients[1].clone(), conversation.clone()));
    tokio::time::sleep(pause).await;
    cluster.kill(role, index).await;
    let acknowledged = sending.await.expect("the sender");
    cluster.start(role, index).await;
    let client = cluster.client("alice", 1);
    // Messages that got no answer are sent again, with their keys.
    let mut all = Vec::new();
    for (number, sent) in acknowledged.into_iter().enumerate() {
        let words = words_of(number);
        let again = retry(&client, &conversation, &words).await;
        assert!(sent.as_ref().is_none_or(|sent| *sent == again), "the same key, the same answer");
        all.push((again, words));
    }
    let whole = read_turns(&client, &conversation, "0", all.len()).await;
    History(&whole).check();
    History(&whole).has(&all);
    let seen = reading.await.expect("the reader");
    let place = seen.last().map_or_else(|| "0".to_owned(), |update| text(&update["cursor"]));
    check_resumed(&client, &conversation, seen, &place, all.len()).await;
}

fn words_of(number: usize) -> String {
    format!("message {number}")
}

async fn send_many(clients: [Client; 2], conversation: String) -> Vec<Option<Sent>> {
    let mut all = Vec::new();
    for number in 0..4 {
        let words = words_of(number);
        let key = format!("{conversation} {words}");
        all.push(clients[number % 2].try_send(Some(&conversation), &words, Some(&key)).await.ok());
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    all
}

async fn retry(client: &Client, conversation: &str, words: &str) -> Sent {
    let key = format!("{conversation} {words}");
    let trying = async {
        loop {
            match client.try_send(Some(conversation), words, Some(&key)).await {
                Ok(sent) => return sent,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("accepted in time")
}

/// Reads until its gateway dies or everything is said; either is fine.
async fn read_on(client: Client, conversation: String) -> Vec<Value> {
    let mut seen = Vec::new();
    let Ok(mut updates) = client.try_updates(&conversation, Some("0")).await else { return seen };
    let reading = async {
        while let Some(update) = updates.next().await {
            seen.push(update);
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(3), reading).await;
    seen
}

async fn read_turns(client: &Client, conversation: &str, after: &str, turns: usize) -> Vec<Value> {
    let mut updates = client.updates(conversation, Some(after)).await;
    let mut seen = Vec::new();
    for _ in 0..turns {
        seen.extend(updates.until(is_turn_end).await);
    }
    seen
}

/// What was seen before the cut and what follows its last cursor make one whole history; chunks of an epoch that was given up
/// may stand in the first part only.
async fn check_resumed(client: &Client, conversation: &str, mut seen: Vec<Value>, place: &str, turns: usize) {
    let left = turns - seen.iter().filter(|update| is_turn_end(update)).count();
    seen.extend(read_turns(client, conversation, place, left).await);
    History(&seen).check();
}
