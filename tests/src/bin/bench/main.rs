//! The benchmarks: ratios against a reference that runs in turn with ours, on the same machine, in the same run.
//!
//! `bench [--only b1,b2,b4,b5,b7] [--rounds N] [--short] [--out FILE]`; `scripts/bench.sh` starts what it needs.

mod bare;
mod commands;
mod machine;
mod memory;
mod raw;
mod rebuild;
mod report;
mod setup;
mod streams;

use std::time::Duration;

use serde_json::json;

use report::Figure;
use setup::Setup;

/// How much of everything: the full run, or a short one that only shows that it works.
struct Extent {
    rounds: usize,
    length: Duration,
    events: usize,
    subscribers: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "bare") {
        return bare::serve().await;
    }
    let option = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1).cloned());
    let only = option("--only").unwrap_or_else(|| "b1,b2,b4,b5,b7".into());
    let mut extent = Extent { rounds: 7, length: Duration::from_secs(5), events: 1_000_000, subscribers: 10_000 };
    if arguments.iter().any(|argument| argument == "--short") {
        extent = Extent { rounds: 2, length: Duration::from_secs(2), events: 20_000, subscribers: 500 };
    }
    if let Some(rounds) = option("--rounds") {
        extent.rounds = rounds.parse()?;
    }
    let setup = Setup::from_environment()?;
    let machine = setup.description().await?;
    println!("{machine:#}");
    let mut figures = Vec::new();
    for name in only.split(',') {
        println!("{name}:");
        figures.extend(run(name, &setup, &extent).await?);
    }
    println!();
    figures.iter().for_each(Figure::print);
    let raw = json!({ "machine": machine, "figures": figures.iter().map(Figure::json).collect::<Vec<_>>() });
    let out = option("--out").unwrap_or_else(|| "target/bench.json".into());
    std::fs::write(&out, format!("{raw:#}\n"))?;
    println!("\nevery round: {out}");
    Ok(())
}

async fn run(name: &str, setup: &Setup, extent: &Extent) -> anyhow::Result<Vec<Figure>> {
    match name {
        "b1" => commands::b1(setup, extent.rounds, extent.length).await,
        "b2" => streams::b2(setup, extent.rounds, extent.length).await,
        "b4" => rebuild::b4(setup, extent.rounds.min(5), extent.events).await,
        "b5" => memory::b5(setup, extent.rounds.min(3), extent.subscribers).await,
        "b7" => commands::b7(setup, extent.rounds, extent.length).await,
        other => anyhow::bail!("there is no benchmark {other}: b1, b2, b4, b5, b7"),
    }
}
