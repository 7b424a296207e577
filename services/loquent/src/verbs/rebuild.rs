//! `loquent rebuild`.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use event_store::EventStore;
use projections::Progress;
use serde_json::json;

use super::print;
use crate::cli::{Output, RebuildArgs};
use crate::config::{Config, known};
use crate::failure::{Failure, Outcome};
use crate::node;

/// How often the progress is told.
const TELL: Duration = Duration::from_secs(2);

/// Computes the read models anew, beside live projectors.
///
/// # Errors
/// The projection is unknown, or the database failed.
pub(crate) async fn run(config: &Config, arguments: &RebuildArgs) -> Outcome<()> {
    let name = arguments.projection.as_str();
    let names = || projections::NAMES.into_iter().chain(["all"]);
    if !names().any(|known| known == name) {
        let nearest = known::nearest(name, names());
        return Err(Failure::usage(format!("unknown projection {name}; the nearest is {nearest}")));
    }
    let database = node::open_database(config).await?;
    node::refuse_outdated(&database).await?;
    let store = EventStore::new(database.clone()).await?;
    let (begun, mut told) = (Instant::now(), Instant::now());
    let tell = std::io::stderr().is_terminal();
    let rebuilt = projections::rebuild(&database, &store, |Progress { conversations, events }| {
        if tell && told.elapsed() >= TELL {
            told = Instant::now();
            eprintln!("{conversations} conversations, {events} events …");
        }
    });
    let rebuilt = rebuilt.await?;
    let seconds = begun.elapsed().as_secs_f64();
    database.close().await;
    let (conversations, events, removed) = (rebuilt.conversations, rebuilt.events, rebuilt.removed);
    match arguments.output.output {
        Output::Text => print(format_args!(
            "rebuilt {conversations} conversations from {events} events in {seconds:.1} s; {removed} removed"
        )),
        Output::Json => print(json!({
            "conversations": conversations, "events": events, "removed": removed, "seconds": seconds,
        })),
    }
}
