//! B1 and B7: commands a second, beside plain inserts, and with the relay on and off.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::machine::{processor_seconds, processor_seconds_of};
use crate::report::{Figure, Wanted};
use crate::setup::{Server, Setup, Tally};

const CLIENTS: usize = 32;

const SEND: &str = "mutation($c: ID!, $t: String!, $k: String!) {
  sendMessage(input: { conversationId: $c, text: $t, idempotencyKey: $k }) { message { id } cursor errors { code } } }";
const START: &str = "mutation { startConversation(input: { agents: [] }) { conversation { id } errors { code } } }";

/// Durable `sendMessage` a second over HTTP divided by pgbench's single inserts a second into the same table: by a gateway
/// alone, and by a node whose other roles work on what was sent, on the same processors.
pub(crate) async fn b1(setup: &Setup, rounds: usize, length: Duration) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let reference = setup.fresh_database("bench_b1").await?;
    for (name, roles) in [("a gateway", "gateway"), ("all roles", "gateway,agents,projections,relay")] {
        let mut figure = Figure::new(format!("B1 commands, {name} / plain inserts"), "/s", Wanted::AtLeast(0.30));
        let node = setup.node(&[roles]).await?;
        let conversations = conversations(&node.address).await?;
        burst(&node.address, &conversations, Duration::from_secs(2)).await?;
        for round in 0..rounds {
            let before = cost(&node);
            let ours = burst(&node.address, &conversations, length).await?;
            let each = cost(&node).into_iter().zip(before).map(|(after, before)| after - before);
            let each: Vec<f64> = each.map(|seconds| 1e6 * seconds / (ours * length.as_secs_f64())).collect();
            let inserts = pgbench(&reference, length)?;
            println!(
                "  B1 round {round}, {name}: {ours:.0} commands/s, {inserts:.0} inserts/s; µs of processor a command: node {:.0}, database {:.0}, broker {:.0}",
                each[0], each[1], each[2]
            );
            figure.push(ours, inserts);
        }
        figures.push(figure);
    }
    Ok(figures)
}

/// Processor seconds so far of the node, the database and the broker.
fn cost(node: &Server) -> [f64; 3] {
    [processor_seconds(node.process()), processor_seconds_of("postgres"), processor_seconds_of("java")]
}

/// Commands a second with a relay that publishes divided by those without one.
pub(crate) async fn b7(setup: &Setup, rounds: usize, length: Duration) -> anyhow::Result<Vec<Figure>> {
    let mut figure = Figure::new("B7 commands, relay on / off", "/s", Wanted::AtLeast(0.80));
    let gateway = setup.node(&["gateway"]).await?;
    let conversations = conversations(&gateway.address).await?;
    burst(&gateway.address, &conversations, Duration::from_secs(2)).await?;
    for round in 0..rounds {
        let relay = setup.beside(&gateway, "relay").await?;
        burst(&gateway.address, &conversations, Duration::from_secs(1)).await?;
        let on = burst(&gateway.address, &conversations, length).await?;
        drop(relay);
        let off = burst(&gateway.address, &conversations, length).await?;
        println!("  B7 round {round}: {on:.0}/s with, {off:.0}/s without");
        figure.push(on, off);
    }
    Ok(vec![figure])
}

/// One conversation a client, without agents: nothing but the command is measured.
async fn conversations(address: &str) -> anyhow::Result<Vec<String>> {
    let client = Tally::client();
    let mut ids = Vec::new();
    for _ in 0..CLIENTS {
        let answer = crate::setup::graphql(&client, address, START, json!({})).await?;
        let id = answer["data"]["startConversation"]["conversation"]["id"].as_str().context("no conversation")?;
        ids.push(id.to_owned());
    }
    Ok(ids)
}

/// All clients send as fast as they are answered; answers a second. One refusal ends the benchmark.
async fn burst(address: &str, conversations: &[String], length: Duration) -> anyhow::Result<f64> {
    static KEY: AtomicU64 = AtomicU64::new(0);
    let client = Tally::client();
    let end = Instant::now() + length;
    let mut clients = JoinSet::new();
    for conversation in conversations {
        let (client, address, conversation) = (client.clone(), address.to_owned(), conversation.clone());
        clients.spawn(async move {
            let mut sent = 0_u64;
            while Instant::now() < end {
                let key = format!("bench-{}-{}", std::process::id(), KEY.fetch_add(1, Ordering::Relaxed));
                let variables = json!({ "c": conversation, "t": "How many messages a second can you take?", "k": key });
                let answer: Value = crate::setup::graphql(&client, &address, SEND, variables).await?;
                ensure!(answer["data"]["sendMessage"]["message"]["id"].is_string(), "refused: {answer}");
                sent += 1;
            }
            anyhow::Ok(sent)
        });
    }
    let mut total = 0;
    while let Some(sent) = clients.join_next().await {
        total += sent??;
    }
    Ok(total as f64 / length.as_secs_f64())
}

/// pgbench's transactions a second: one row of a command's size, each in a transaction of its own.
fn pgbench(database: &str, length: Duration) -> anyhow::Result<f64> {
    let row = "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
values ('bench', gen_random_uuid()::text, 1, 'dev.loquent.message.sent', '1',
  jsonb_build_object('message', gen_random_uuid(), 'author', gen_random_uuid(), 'text', repeat('x', 160)),
  jsonb_build_object('id', gen_random_uuid(), 'source', '/loquent', 'subject', gen_random_uuid(), 'hash', repeat('a', 64),
    'prevhash', repeat('b', 64), 'time', now(), 'idempotency', jsonb_build_object('key', gen_random_uuid(), 'fingerprint', repeat('c', 64))));\n";
    let script = tempfile::NamedTempFile::new()?;
    std::fs::write(script.path(), row.replace('\n', " "))?;
    let program = std::env::var("PGBENCH").unwrap_or_else(|_| "pgbench".into());
    let clients = CLIENTS.to_string();
    let output = Command::new(program)
        .args(["-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &length.as_secs().max(1).to_string(), "-f"])
        .arg(script.path())
        .arg(database)
        .stderr(Stdio::inherit())
        .output()
        .context("pgbench (set PGBENCH to its path)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("tps")).context("pgbench printed no figure")?;
    line.split_whitespace().nth(2).context("tps")?.parse().context("tps")
}
