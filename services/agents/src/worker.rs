//! Workers: they take from the work table, keep their leases alive, and give back what they cannot finish.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use events::Kind as ErrorKind;

use crate::context::Context;
use crate::registry::Registry;
use crate::run::{self, Left};
use crate::work::{Key, Kind, Lease, Task, Work};
use crate::{Result, title, tool_call, turn};

/// Between two looks at the table where nobody called.
const POLL: Duration = Duration::from_millis(100);
/// The same where nobody can call, because this process does not read the log for work.
const POLL_ALONE: Duration = Duration::from_millis(20);
/// Pieces of work that one look takes, so that several workers share.
const AT_ONCE: usize = 16;
/// Between two tries where the store does not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// How long runs may take to notice that the drain is over.
const FAREWELL: Duration = Duration::from_secs(2);
/// The longest pause after failures that are not the store's absence.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How much is in hand, by kind: each has its own bound, so that long answers leave room for tools and turns.
#[derive(Clone, Default)]
struct Hands(Arc<[AtomicUsize; 4]>);

/// Counts one piece of work as long as it lives.
struct InHand(Hands, Kind);

/// What a piece of work leaves to this worker.
type Rest = Vec<Lease>;

/// Takes and carries out work until told to stop, then lets what runs end.
pub(crate) async fn run(context: Arc<Context>, registry: Registry, wake: Arc<Notify>, shutdown: &CancellationToken) {
    let (mut running, hands) = (JoinSet::new(), Hands::default());
    let mut resume = Instant::now();
    let poll = if context.settings.does(Kind::Turn) { POLL } else { POLL_ALONE };
    while !shutdown.is_cancelled() {
        if Instant::now() >= resume
            && let Err(error) = take(&context, &registry, &wake, &mut running, &hands).await
        {
            tracing::warn!(%error, "taking work failed; trying again");
            resume = Instant::now() + after_outage(&context);
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = wake.notified() => {}
            () = sleep(poll) => {}
            Some(ended) = running.join_next() => note(&context, &registry, &mut running, &hands, ended),
        }
        while let Some(ended) = running.try_join_next() {
            note(&context, &registry, &mut running, &hands, ended);
        }
    }
    drain(&context, &registry, running).await;
}

async fn take(
    context: &Arc<Context>,
    registry: &Registry,
    wake: &Arc<Notify>,
    running: &mut JoinSet<Rest>,
    hands: &Hands,
) -> Result<()> {
    let room = |kind| context.settings.at_once(kind).saturating_sub(hands.of(kind)).min(AT_ONCE);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| room(*kind) > 0).collect();
    for kind in context.table.free_kinds(&kinds).await? {
        let room = room(kind);
        let leases = context.table.take(kind, room).await?;
        if leases.len() == room {
            // There may be more, if this worker has room for it.
            wake.notify_one();
        }
        for lease in leases {
            begin(context, registry, running, hands, lease);
        }
    }
    Ok(())
}

fn begin(context: &Arc<Context>, registry: &Registry, running: &mut JoinSet<Rest>, hands: &Hands, lease: Lease) {
    let in_hand = hands.hold(lease.work.task.kind());
    let (context, registry, hands) = (context.clone(), registry.clone(), hands.clone());
    running.spawn(async move {
        let _in_hand = in_hand;
        perform(&context, &registry, &hands, lease).await
    });
}

/// While the store was away, leases ended that nobody could renew. Their holders come first.
fn after_outage(context: &Context) -> Duration {
    if context.settings.exclusive { PAUSE } else { PAUSE + context.settings.lease / 3 }
}

/// Does one piece of work and settles it in the table; what stays with this worker is answered.
async fn perform(context: &Context, registry: &Registry, hands: &Hands, lease: Lease) -> Rest {
    let Lease { work, attempts } = lease;
    let held = registry.hold(work.key());
    let result = match work.task {
        Task::Turn => match turn::look(context, &work).await {
            Ok(look) => return settle_look(context, hands, &work, look).await,
            Err(error) => Err(error),
        },
        Task::Run(id) => run::carry_out(context, &work, id, &held.lost).await,
        Task::Title => title::carry_out(context, &work, &held.lost).await,
        Task::Tool(id) => tool_call::carry_out(context, &work, id, &held.lost).await,
    };
    settle(context, &work, attempts, result).await;
    Vec::new()
}

/// What this process can do itself it keeps, so that nobody has to look for it; a process with much in hand keeps nothing, so
/// that others get their share and each tenant its own.
async fn settle_look(context: &Context, hands: &Hands, work: &Work, look: turn::Look) -> Rest {
    let has_room = |kind| hands.of(kind) < context.settings.at_once(kind) / 4;
    let (mine, others): (Vec<Work>, Vec<Work>) = look.next.into_iter().partition(|work| has_room(work.task.kind()));
    let settled = match look.again {
        // The row stays, for the time when it is looked at again.
        Some(pause) => match context.table.go_on(None, &others, &mine).await {
            Ok(kept) => context.table.give_back(work.key(), work.sequence, pause).await.map(|()| kept),
            Err(error) => Err(error),
        },
        None => context.table.go_on(Some(work), &others, &mine).await,
    };
    settled.unwrap_or_else(|error| {
        // Nobody holds it any more, which the renewal notices.
        tracing::warn!(%error, conversation = %work.conversation, "the next steps of a turn could not be noted");
        Vec::new()
    })
}

async fn settle(context: &Context, work: &Work, attempts: u32, result: Result<Left>) {
    let key = work.key();
    let left = result.unwrap_or_else(|error| {
        tracing::warn!(%error, conversation = %key.0, kind = key.1.kind().name(), attempts, "work failed; trying again later");
        match error.kind() {
            ErrorKind::Unavailable => Left::Again(PAUSE),
            _ => Left::Again(PAUSE.saturating_mul(1 << attempts.min(10)).min(LONGEST_PAUSE)),
        }
    });
    let settled = match left {
        Left::Nothing => context.table.finish(work).await,
        Left::Again(pause) => context.table.give_back(key, work.sequence, pause).await,
    };
    if let Err(error) = settled {
        // Nobody holds it any more, which the renewal notices.
        tracing::warn!(%error, conversation = %key.0, "work could not be settled");
    }
}

impl Hands {
    fn of(&self, kind: Kind) -> usize {
        self.0[kind as usize].load(Ordering::Relaxed)
    }

    fn hold(&self, kind: Kind) -> InHand {
        self.0[kind as usize].fetch_add(1, Ordering::Relaxed);
        InHand(self.clone(), kind)
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.0[self.1 as usize].fetch_sub(1, Ordering::Relaxed);
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
                tracing::info!(conversation = %key.0, kind = key.1.kind().name(), "a lease is gone");
            }
        }
        // Taken in this moment, it may not be held yet: only what nobody holds twice in a row is an orphan.
        let unheld: HashSet<Key> = renewed.difference(&registry.keys()).copied().collect();
        for key in unheld.intersection(&orphans) {
            let _ = context.table.give_back(*key, 0, Duration::ZERO).await;
        }
        orphans = unheld;
    }
}

async fn drain(context: &Context, registry: &Registry, mut running: JoinSet<Rest>) {
    let all = async |running: &mut JoinSet<Rest>| while running.join_next().await.is_some() {};
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

/// What ended may leave something for this worker to begin at once.
fn note(
    context: &Arc<Context>,
    registry: &Registry,
    running: &mut JoinSet<Rest>,
    hands: &Hands,
    ended: std::result::Result<Rest, tokio::task::JoinError>,
) {
    match ended {
        Ok(rest) => rest.into_iter().for_each(|lease| begin(context, registry, running, hands, lease)),
        Err(error) => tracing::error!(%error, "a worker's task broke off"),
    }
}
