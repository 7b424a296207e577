//! A conversation's state from the store: the snapshot, what followed it, and a cache of the result.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use event_store::{EventStore, Snapshot};
use events::{ConversationEvent, ConversationId, Record, Sequence};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::conversation::{Conversation, Fact, Run};
use crate::{Error, Result};

/// Events between two snapshots.
const SNAPSHOT_EVERY: Sequence = 100;
/// Events that are read at once; some carry a whole answer.
const PAGE: usize = 100;
/// Conversations that a process remembers.
const REMEMBERED: u64 = 10_000;
/// How long it remembers one that nobody asks for.
const IDLE: Duration = Duration::from_secs(600);
/// Form of a snapshot; another number and the snapshot is passed over.
const FORMAT: u32 = 4;

/// A conversation after one of its events, with what the next event needs to know of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// The conversation.
    pub id: ConversationId,
    /// Its tenant.
    pub tenant: String,
    /// Its state.
    pub state: Conversation,
    /// Number of its last event.
    pub sequence: Sequence,
    /// Hash of its last event.
    pub hash: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When its last event happened.
    pub updated_at: DateTime<Utc>,
    /// When it was archived.
    pub archived_at: Option<DateTime<Utc>>,
    /// When its last turn began.
    pub turn_started_at: Option<DateTime<Utc>>,
    /// How long that turn has waited for persons to decide about tools.
    pub turn_waits: Waits,
    /// An event of a later build was among its events: the state may lack what that one changed, so it is never kept.
    partial: bool,
}

/// The time in which something waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    milliseconds: u64,
    since: Option<DateTime<Utc>>,
}

impl Waits {
    /// All of it until then.
    #[must_use]
    pub fn until(&self, at: DateTime<Utc>) -> Duration {
        let open = self.since.and_then(|since| (at - since).to_std().ok()).unwrap_or_default();
        Duration::from_millis(self.milliseconds) + open
    }

    fn now(&mut self, waits: bool, at: DateTime<Utc>) {
        if waits {
            self.since.get_or_insert(at);
        } else if self.since.is_some() {
            self.milliseconds = u64::try_from(self.until(at).as_millis()).unwrap_or(u64::MAX);
            self.since = None;
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    loaded: Loaded,
}

impl Loaded {
    /// The conversation before its first event.
    pub(crate) fn blank(id: ConversationId, tenant: &str) -> Self {
        Self {
            id,
            tenant: tenant.into(),
            state: Conversation::default(),
            sequence: 0,
            hash: Record::NO_HASH.into(),
            started_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            archived_at: None,
            turn_started_at: None,
            turn_waits: Waits::default(),
            partial: false,
        }
    }

    /// The conversation after its next event.
    pub(crate) fn follow(&mut self, record: &Record) -> Result<()> {
        let broken = Error::Broken { conversation: self.id, sequence: record.sequence };
        if record.sequence != self.sequence + 1 || record.prevhash != self.hash {
            return Err(broken);
        }
        let Ok(decoded) = record.event() else {
            return Err(broken);
        };
        self.advance(record, decoded.into());
        Ok(())
    }

    /// As [`follow`](Self::follow), for an event of our own making.
    pub(crate) fn advance(&mut self, record: &Record, fact: Fact) {
        if record.sequence == 1 {
            self.tenant.clone_from(&record.tenant);
            self.started_at = record.time;
        }
        match &fact.0 {
            Some(ConversationEvent::ConversationArchived(_)) => self.archived_at = Some(record.time),
            Some(ConversationEvent::TurnStarted(_)) => {
                (self.turn_started_at, self.turn_waits) = (Some(record.time), Waits::default());
            }
            Some(_) => {}
            None => self.partial = true,
        }
        self.state.apply(fact);
        let waits = self.state.turn.as_ref().is_some_and(|turn| turn.open_runs().any(Run::waits));
        self.turn_waits.now(waits, record.time);
        self.sequence = record.sequence;
        self.hash.clone_from(&record.hash);
        self.updated_at = record.time;
    }
}

/// What a process remembers of one conversation.
#[derive(Default)]
pub(crate) struct Entry {
    /// Held while appending: writers of one process queue up here instead of losing against each other in the store.
    pub(crate) turnstile: tokio::sync::Mutex<()>,
    latest: RwLock<Option<Arc<Loaded>>>,
}

impl Entry {
    pub(crate) fn latest(&self) -> Option<Arc<Loaded>> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, loaded: &Arc<Loaded>) {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        if latest.as_ref().is_none_or(|known| known.sequence < loaded.sequence) {
            *latest = Some(Arc::clone(loaded));
        }
    }
}

/// Reads conversations.
#[derive(Clone)]
pub(crate) struct Loader {
    store: EventStore,
    cache: Cache<ConversationId, Arc<Entry>>,
}

impl Loader {
    pub(crate) fn new(store: EventStore) -> Self {
        Self { store, cache: Cache::builder().max_capacity(REMEMBERED).time_to_idle(IDLE).build() }
    }

    pub(crate) fn store(&self) -> &EventStore {
        &self.store
    }

    pub(crate) fn entry(&self, id: ConversationId) -> Arc<Entry> {
        self.cache.get_with(id, Arc::default)
    }

    /// What this process remembers; other processes may have added to it.
    pub(crate) fn remembered(&self, id: ConversationId) -> Option<Arc<Loaded>> {
        self.cache.get(&id)?.latest()
    }

    /// As the store has it now; one query where what is remembered is up to date.
    pub(crate) async fn fresh(&self, id: ConversationId) -> Result<Option<Arc<Loaded>>> {
        let remembered = self.remembered(id);
        let base = match remembered {
            Some(loaded) => loaded,
            None => Arc::new(self.kept(id).await?.unwrap_or_else(|| Loaded::blank(id, ""))),
        };
        let known = base.sequence;
        let loaded = self.catch_up(base).await?;
        if loaded.sequence == 0 {
            return Ok(None);
        }
        self.remember(known, &loaded);
        Ok(Some(loaded))
    }

    /// As it stood just after one of its events.
    pub(crate) async fn at(&self, id: ConversationId, sequence: Sequence) -> Result<Option<Loaded>> {
        let mut loaded = Loaded::blank(id, "");
        while loaded.sequence < sequence {
            let left = usize::try_from(sequence - loaded.sequence).unwrap_or(PAGE).min(PAGE);
            let records = self.store.load(id, loaded.sequence, left).await?;
            if records.is_empty() {
                return Ok(None);
            }
            records.iter().try_for_each(|record| loaded.follow(record))?;
        }
        Ok((sequence > 0).then_some(loaded))
    }

    /// Takes note of a newer state, and keeps a snapshot if it is time: after the commit, off the caller's way, as well as it goes.
    pub(crate) fn remember(&self, known: Sequence, loaded: &Arc<Loaded>) {
        self.entry(loaded.id).remember(loaded);
        if known / SNAPSHOT_EVERY < loaded.sequence / SNAPSHOT_EVERY && !loaded.partial {
            let (store, loaded) = (self.store.clone(), Arc::clone(loaded));
            tokio::spawn(async move {
                let kept = Kept { format: FORMAT, loaded: Loaded::clone(&loaded) };
                let Ok(state) = serde_json::to_value(kept) else { return };
                let snapshot = Snapshot { sequence: loaded.sequence, hash: loaded.hash.clone(), state };
                if let Err(error) = store.save_snapshot(loaded.id, &snapshot).await {
                    tracing::debug!(conversation = %loaded.id, %error, "no snapshot was kept");
                }
            });
        }
    }

    async fn kept(&self, id: ConversationId) -> Result<Option<Loaded>> {
        let Some(snapshot) = self.store.snapshot(id).await? else {
            return Ok(None);
        };
        let kept = serde_json::from_value::<Kept>(snapshot.state).ok();
        let kept = kept.filter(|kept| kept.format == FORMAT && kept.loaded.sequence == snapshot.sequence);
        Ok(kept.map(|kept| kept.loaded))
    }

    async fn catch_up(&self, mut loaded: Arc<Loaded>) -> Result<Arc<Loaded>> {
        loop {
            let records = self.store.load(loaded.id, loaded.sequence, PAGE).await?;
            if !records.is_empty() {
                let next = Arc::make_mut(&mut loaded);
                records.iter().try_for_each(|record| next.follow(record))?;
            }
            if records.len() < PAGE {
                return Ok(loaded);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_waiting_are_added_and_the_one_that_is_not_over_counts_until_now() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        let mut waits = Waits::default();
        for (time, waiting) in [(1, false), (2, true), (4, true), (7, false), (8, false), (10, true)] {
            waits.now(waiting, at(time));
        }
        assert_eq!(waits.until(at(10)), Duration::from_secs(5));
        assert_eq!(waits.until(at(13)), Duration::from_secs(8));
    }
}
