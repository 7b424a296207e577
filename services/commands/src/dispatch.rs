//! Load, decide, append at the expected sequence; after a conflict, again. Nothing is decided inside a transaction.

use std::sync::Arc;
use std::time::Duration;

use event_store::{EventStore, Idempotency};
use events::{ConversationId, EventId, PersonId, Record, Sequence};
use futures::future::BoxFuture;
use keyring::Keyring;
use tokio::time::{Instant, sleep, timeout_at};

use crate::append::{Order, Origin};
use crate::load::{Entry, Loaded, Loader};
use crate::rules::{self, Command};
use crate::{Catalog, Error, Result, idempotency, stamp};

/// How long a command tries to get in between others.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause between two tries, in milliseconds.
const LONGEST_PAUSE: u64 = 32;

/// Carries commands out. Cheap to clone; all clones share what they remember.
#[derive(Clone)]
pub struct Commands {
    pub(crate) loader: Loader,
    pub(crate) keyring: Keyring,
    catalog: Arc<Catalog>,
    pub(crate) patience: Duration,
}

/// The person that asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their tenant.
    pub tenant: String,
    /// Their pseudonym.
    pub person: PersonId,
    /// Where persons whom they name come from, as they do.
    pub issuer: String,
    /// Makes a repeat of the command give the first answer; counts per tenant, person and command, for ever.
    pub idempotency_key: Option<String>,
    /// The trace that the command belongs to.
    pub traceparent: Option<String>,
}

/// The event that a worker reacts to.
#[derive(Clone, Debug)]
pub struct Cause {
    /// That event.
    pub event: EventId,
    /// Its correlation.
    pub correlation: EventId,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
}

/// What a command led to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its events, in order, at least one; of a repeat, those of the first time.
    pub records: Vec<Record>,
    /// The conversation just after them; of a repeat, as it is now.
    pub loaded: Arc<Loaded>,
    /// The idempotency key was known, and nothing happened.
    pub repeated: bool,
}

impl Outcome {
    /// Sequence of its last event: the cursor that answers the command, also a repeated one.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.records.last().map_or(self.loaded.sequence, |record| record.sequence)
    }
}

impl Commands {
    /// Over this store; persons' text is sealed with this keyring.
    #[must_use]
    pub fn new(store: EventStore, keyring: Keyring, catalog: Arc<Catalog>) -> Self {
        Self { loader: Loader::new(store), keyring, catalog, patience: PATIENCE }
    }

    /// The agents and models there are.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// A conversation as the store has it now; `None`: there is none. Whether somebody may see it, the caller checks.
    ///
    /// # Errors
    /// The store does not answer, or holds no sound stream.
    pub fn load(&self, id: ConversationId) -> BoxFuture<'_, Result<Option<Arc<Loaded>>>> {
        Box::pin(self.loader.fresh(id))
    }

    /// A conversation as it stood just after one of its events; `None`: it has no such event.
    ///
    /// # Errors
    /// The store does not answer, or holds no sound stream.
    pub async fn load_at(&self, id: ConversationId, sequence: Sequence) -> Result<Option<Loaded>> {
        self.loader.at(id, sequence).await
    }

    /// Carries a command out that an event led to: whatever a worker wants.
    ///
    /// # Errors
    /// [`Error::Stale`]: somebody else was faster, or what it is about is over. [`Error::Rejected`]: its rule says no, as
    /// [`TURN_STOPPING`](rules::code::TURN_STOPPING) or [`TURN_RUNNING`](rules::code::TURN_RUNNING). Else the store's.
    pub async fn react(
        &self,
        conversation: ConversationId,
        command: impl Into<Command>,
        cause: Cause,
    ) -> Result<Outcome> {
        let traceparent = cause.traceparent.clone();
        let origin = Origin::Event(cause);
        let (tenant, command) = (String::new(), command.into());
        self.carry_out(Order { conversation, tenant, command, origin, traceparent, mark: None }).await
    }

    /// Carries a command out and counts it.
    pub(crate) fn carry_out(&self, order: Order) -> BoxFuture<'_, Result<Outcome>> {
        Box::pin(self.carry_out_counted(order))
    }

    async fn carry_out_counted(&self, order: Order) -> Result<Outcome> {
        let name = order.command.name();
        let begun = Instant::now();
        let result = self.decide_and_append(&order).await;
        let outcome = match &result {
            Ok(outcome) if outcome.repeated => "repeated",
            Ok(_) => "accepted",
            Err(Error::Rejected(_)) => "rejected",
            Err(_) => "failed",
        };
        metrics::counter!("loquent_commands_total", "command" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("loquent_command_seconds", "command" => name).record(begun.elapsed());
        if let Ok(Outcome { records, .. }) = &result
            && let Some(last) = records.last()
        {
            let (conversation, sequence, correlation) = (last.subject, last.sequence, last.correlationid);
            tracing::info!(command = name, outcome, %conversation, sequence, %correlation, "command carried out");
        }
        result
    }

    /// A refusal counts only on a state that is fresh; what is remembered is good enough for an append, which the store
    /// refuses where it was not. Gives up when its patience ends, not before.
    async fn decide_and_append(&self, order: &Order) -> Result<Outcome> {
        let deadline = Instant::now() + self.patience;
        let entry = self.loader.entry(order.conversation);
        let _turn = timeout_at(deadline, entry.turnstile.lock()).await.map_err(|_| Error::Busy)?;
        let (mut base, mut fresh) = self.base(order, &entry).await?;
        let mut pause = 1;
        loop {
            let events = match rules::decide(&base.state, &order.command) {
                Ok(events) => events,
                Err(_) if !fresh => {
                    (base, fresh) = (self.fresh(order).await?, true);
                    continue;
                }
                Err(refusal) => return self.first_answer(order.mark.as_ref()).await?.ok_or_else(|| refusal.into()),
            };
            match order.append(&self.loader, &base, events).await {
                Err(Error::Store(event_store::Error::Conflict)) => {}
                result => return result,
            }
            metrics::counter!("loquent_command_conflicts_total").increment(1);
            if let Some(first) = self.first_answer(order.mark.as_ref()).await? {
                return Ok(first);
            }
            if Instant::now() >= deadline {
                return Err(Error::Busy);
            }
            sleep(Duration::from_millis(1 + stamp::jitter(pause))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            (base, fresh) = (self.fresh(order).await?, true);
        }
    }

    /// What to decide on first, and whether it is as the store has it now.
    async fn base(&self, order: &Order, entry: &Entry) -> Result<(Arc<Loaded>, bool)> {
        if order.command.begins() {
            return Ok((order.blank(), true));
        }
        match entry.latest() {
            Some(remembered) => Ok((remembered, false)),
            None => Ok((self.fresh(order).await?, true)),
        }
    }

    async fn fresh(&self, order: &Order) -> Result<Arc<Loaded>> {
        match self.loader.fresh(order.conversation).await? {
            Some(loaded) => Ok(loaded),
            None if order.command.begins() => Ok(order.blank()),
            None => Err(Error::NotFound),
        }
    }

    /// The answer of the first command with this mark, if there was one. Looked up only where a command cannot simply go ahead.
    pub(crate) async fn first_answer(&self, mark: Option<&Idempotency>) -> Result<Option<Outcome>> {
        let Some(mark) = mark else {
            return Ok(None);
        };
        let Some(records) = idempotency::first_answer(self.loader.store(), mark).await? else {
            return Ok(None);
        };
        let Some(last) = records.last() else {
            return Ok(None);
        };
        let loaded = self.load(last.subject).await?.ok_or(Error::NotFound)?;
        metrics::counter!("loquent_command_repeats_total").increment(1);
        Ok(Some(Outcome { records, loaded, repeated: true }))
    }
}
