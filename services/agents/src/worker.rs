//! Workers: they take from the work table, keep their leases alive, and give back what they cannot finish.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use events::Kind;

use crate::Result;
use crate::context::Context;
use crate::registry::{Held, Registry};
use crate::run::{self, Left};
use crate::turn::{self, Begun};
use crate::work::{Key, Lease, Task};

/// Between two looks at the table where nobody called.
const POLL: Duration = Duration::from_millis(100);
/// Pieces of work that one look takes, so that several workers share.
const AT_ONCE: usize = 16;
/// Between two tries where the store does not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// How long runs may take to notice that the drain is over.
const FAREWELL: Duration = Duration::from_secs(2);
/// The longest pause after failures that are not the store's absence.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Takes and carries out work until told to stop, then lets what runs end.
pub(crate) async fn run(context: Arc<Context>, registry: Registry, wake: Arc<Notify>, shutdown: &CancellationToken) {
    let mut running = JoinSet::new();
    let mut resume = Instant::now();
    while !shutdown.is_cancelled() {
        if Instant::now() >= resume
            && let Err(error) = take(&context, &registry, &wake, &mut running).await
        {
            tracing::warn!(%error, "taking work failed; trying again");
            resume = Instant::now() + after_outage(&context);
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = wake.notified() => {}
            () = sleep(POLL) => {}
            Some(ended) = running.join_next() => note(ended),
        }
        while let Some(ended) = running.try_join_next() {
            note(ended);
        }
    }
    drain(&context, &registry, running).await;
}

async fn take(
    context: &Arc<Context>,
    registry: &Registry,
    wake: &Arc<Notify>,
    running: &mut JoinSet<()>,
) -> Result<()> {
    let free = context.settings.concurrency.saturating_sub(running.len()).min(AT_ONCE);
    if free == 0 || !context.table.has_free().await? {
        return Ok(());
    }
    let leases = context.table.take(free).await?;
    if leases.len() == free {
        // There may be more, if this worker has room for it.
        wake.notify_one();
    }
    for lease in leases {
        let held = registry.hold(lease.work.key());
        let (context, registry, wake) = (context.clone(), registry.clone(), wake.clone());
        running.spawn(async move {
            perform(&context, &registry, lease, held).await;
            // It may have been what other work waited for.
            wake.notify_one();
        });
    }
    Ok(())
}

/// While the store was away, leases ended that nobody could renew. Their holders come first.
fn after_outage(context: &Context) -> Duration {
    if context.settings.exclusive { PAUSE } else { PAUSE + context.settings.lease / 3 }
}

/// Does one piece of work and settles it in the table.
async fn perform(context: &Context, registry: &Registry, lease: Lease, held: Held) {
    let Lease { mut work, attempts } = lease;
    let mut held = held;
    let result = match work.task {
        Task::Run(id) => run::carry_out(context, &work, id, &held.lost).await,
        Task::Turn(message) => match turn::begin(context, &work, message).await {
            Ok(Begun::Nothing) => Ok(Left::Nothing),
            // The longer it takes, the less is gained by looking often.
            Ok(Begun::Later(pause)) => Ok(Left::Again(pause.saturating_mul(1 << attempts.min(5)))),
            Ok(Begun::Run(first, id)) => {
                // The turn's row goes in the next statement: from here on nobody may take its absence for a lost lease.
                drop(held);
                match context.table.go_on(work.key(), &first).await {
                    Ok(true) => {
                        work = first;
                        held = registry.hold(work.key());
                        run::carry_out(context, &work, id, &held.lost).await
                    }
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "a turn began, its run will be taken again");
                        return;
                    }
                }
            }
            Err(error) => Err(error),
        },
    };
    settle(context, work.key(), attempts, result).await;
}

async fn settle(context: &Context, key: Key, attempts: u32, result: Result<Left>) {
    let left = result.unwrap_or_else(|error| {
        tracing::warn!(%error, conversation = %key.0, kind = key.1.kind(), attempts, "work failed; trying again later");
        match error.kind() {
            Kind::Unavailable => Left::Again(PAUSE),
            _ => Left::Again(PAUSE.saturating_mul(1 << attempts.min(10)).min(LONGEST_PAUSE)),
        }
    });
    let settled = match left {
        Left::Nothing => context.table.finish(key).await,
        Left::Again(pause) => context.table.give_back(key, pause).await,
    };
    if let Err(error) = settled {
        // Nobody holds it any more, which the renewal notices.
        tracing::warn!(%error, conversation = %key.0, "work could not be settled");
    }
}

/// Renews all leases until told to stop, tells holders of lost ones, and gives back what nobody here holds.
pub(crate) async fn renew(context: &Context, registry: &Registry, stop: &CancellationToken) {
    let mut orphans: HashSet<Key> = HashSet::new();
    while stop.run_until_cancelled(sleep(context.settings.lease / 3)).await.is_some() {
        let before = registry.keys();
        let renewed = match context.table.renew().await {
            Ok(renewed) => renewed,
            Err(error) => {
                tracing::warn!(%error, "leases could not be renewed");
                continue;
            }
        };
        for key in before.difference(&renewed) {
            if registry.lose(key) {
                tracing::info!(conversation = %key.0, kind = key.1.kind(), "a lease is gone");
            }
        }
        // Taken in this moment, it may not be held yet: only what nobody holds twice in a row is an orphan.
        let unheld: HashSet<Key> = renewed.difference(&registry.keys()).copied().collect();
        for key in unheld.intersection(&orphans) {
            let _ = context.table.give_back(*key, Duration::ZERO).await;
        }
        orphans = unheld;
    }
}

async fn drain(context: &Context, registry: &Registry, mut running: JoinSet<()>) {
    let all = async |running: &mut JoinSet<()>| while running.join_next().await.is_some() {};
    if timeout(context.settings.drain, all(&mut running)).await.is_err() {
        tracing::info!(runs = running.len(), "giving runs back");
        registry.lose_all();
        let _ = timeout(FAREWELL, all(&mut running)).await;
        running.abort_all();
    }
    if let Err(error) = context.table.give_all_back().await {
        tracing::warn!(%error, "leases could not be given back; they end by themselves");
    }
}

fn note(ended: std::result::Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a worker's task broke off");
    }
}
