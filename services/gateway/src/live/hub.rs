//! The node's watched conversations, each with the latest that came by: one writer, which never waits, and many readers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_log::Item;
use events::{ConversationId, Record, Sequence};
use tokio::sync::Notify;

use super::item::{Live, LiveChunk, LiveEvent};

/// What a ring keeps for readers that are behind; whoever is further behind asks the store.
const KEPT: usize = 256;
const KEPT_BYTES: usize = 1 << 20;
/// What a reader takes at once.
const TAKEN: usize = 64;

/// The rings of the conversations that somebody watches, and which conversations are being answered.
#[derive(Default)]
pub(super) struct Hub(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    rings: HashMap<ConversationId, Arc<Ring>>,
    /// Conversations with messages in flight, watched or not.
    running: HashMap<ConversationId, Running>,
}

/// The last event of a conversation that came by, and its messages in flight.
struct Running {
    last: Sequence,
    messages: Vec<String>,
}

/// One conversation's latest items. It is kept as small as it can be: most are idle, and there are many.
struct Ring {
    conversation: ConversationId,
    readers: AtomicUsize,
    recent: Mutex<Recent>,
    news: Notify,
}

#[derive(Default)]
struct Recent {
    /// Number of the first item kept; they are numbered as they come.
    first: u64,
    items: VecDeque<Live>,
    bytes: usize,
    /// What lies before this number was there at the last trimming already.
    old: u64,
    /// Before this number the log's tail was torn.
    torn: u64,
    /// The last event that came by, or that a reader found in the store.
    seen: Sequence,
    /// The store was ahead of `seen` when last compared.
    behind: bool,
}

/// One subscriber's end of a ring.
pub(super) struct Reader {
    hub: Arc<Hub>,
    ring: Arc<Ring>,
    next: u64,
    /// See [`Reader::met_at`].
    met_at: Option<Sequence>,
}

/// Why a reader has to ask the store and the log for what it missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// It was too slow.
    Slow,
    /// The log's tail was torn, or lags behind the store.
    Torn,
}

impl Hub {
    /// From now on nothing of this conversation passes unseen.
    pub(super) fn join(self: &Arc<Self>, conversation: ConversationId) -> Reader {
        let mut watched = self.watched();
        let ring = watched.rings.entry(conversation).or_insert_with(|| Ring::new(conversation)).clone();
        ring.readers.fetch_add(1, Ordering::Relaxed);
        let next = ring.recent().end();
        metrics::gauge!("loquent_live_conversations").set(count(watched.rings.len()));
        Reader { hub: self.clone(), ring, next, met_at: watched.last(conversation) }
    }

    /// Passes what the log's tail brought on to those who watch.
    pub(super) fn deliver(&self, items: Vec<Item>) {
        let mut touched: Vec<Arc<Ring>> = Vec::new();
        let mut watched = self.watched();
        for item in items {
            let conversation = match &item {
                Item::Event(record) => {
                    watched.follow(record);
                    record.subject
                }
                Item::Chunk(chunk) => chunk.conversation,
            };
            let Some(ring) = watched.rings.get(&conversation).cloned() else { continue };
            ring.recent().push(item);
            if !touched.iter().any(|other| Arc::ptr_eq(other, &ring)) {
                touched.push(ring);
            }
        }
        drop(watched);
        touched.iter().for_each(|ring| ring.news.notify_waiters());
    }

    /// Sends every reader to the store: the tail was torn.
    pub(super) fn all_missed(&self) {
        let mut watched = self.watched();
        watched.running.clear();
        watched.rings.values().for_each(|ring| ring.missed());
    }

    /// The watched conversations, with the last event that came by of each.
    pub(super) fn seen(&self) -> Vec<(ConversationId, Sequence)> {
        self.watched().rings.iter().map(|(conversation, ring)| (*conversation, ring.recent().seen)).collect()
    }

    /// The store has events up to `last`: sends readers there if they have been without them since the last comparison.
    pub(super) fn compare(&self, conversation: ConversationId, last: Sequence) {
        let Some(ring) = self.watched().rings.get(&conversation).cloned() else { return };
        let late = {
            let mut recent = ring.recent();
            let behind = last > recent.seen;
            std::mem::replace(&mut recent.behind, behind) && behind
        };
        if late {
            ring.missed();
        }
    }

    /// Lets go of what every reader but the slowest has read long ago.
    pub(super) fn trim(&self) {
        self.watched().rings.values().for_each(|ring| ring.recent().trim());
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn last(&self, conversation: ConversationId) -> Option<Sequence> {
        self.running.get(&conversation).map(|running| running.last)
    }

    fn follow(&mut self, record: &Record) {
        let message = || record.data.get("message").and_then(serde_json::Value::as_str).unwrap_or_default();
        let (kind, _) = record.type_and_version();
        match kind {
            "dev.loquent.agent.started" => {
                let new = || Running { last: 0, messages: Vec::new() };
                let running = self.running.entry(record.subject).or_insert_with(new);
                if !running.messages.iter().any(|open| open == message()) {
                    running.messages.push(message().to_owned());
                }
            }
            "dev.loquent.message.completed" | "dev.loquent.message.failed" | "dev.loquent.message.stopped" => {
                if let Some(running) = self.running.get_mut(&record.subject) {
                    running.messages.retain(|open| open != message());
                    if running.messages.is_empty() {
                        self.running.remove(&record.subject);
                    }
                }
            }
            _ => {}
        }
        if let Some(running) = self.running.get_mut(&record.subject) {
            running.last = running.last.max(record.sequence);
        }
    }
}

impl Ring {
    fn new(conversation: ConversationId) -> Arc<Self> {
        let (readers, recent, news) = (AtomicUsize::new(0), Mutex::default(), Notify::new());
        Arc::new(Self { conversation, readers, recent, news })
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missed(&self) {
        self.recent().tear();
        self.news.notify_waiters();
    }
}

impl Recent {
    fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    fn push(&mut self, item: Item) {
        self.bytes += size(&item);
        self.items.push_back(match item {
            Item::Event(record) => {
                self.seen = self.seen.max(record.sequence);
                Live::Event(LiveEvent::new(record))
            }
            Item::Chunk(chunk) => Live::Chunk(LiveChunk::new(chunk)),
        });
        while self.items.len() > KEPT || (self.bytes > KEPT_BYTES && self.items.len() > 1) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(item) = self.items.pop_front() {
            self.first += 1;
            self.bytes = self.bytes.saturating_sub(size_of_live(&item));
        }
    }

    /// Makes a gap that every reader notices.
    fn tear(&mut self) {
        self.first = self.end() + 1;
        self.torn = self.first;
        self.items = VecDeque::new();
        self.bytes = 0;
    }

    fn trim(&mut self) {
        while self.first < self.old && !self.items.is_empty() {
            self.drop_first();
        }
        if self.items.is_empty() {
            self.items = VecDeque::new();
        }
        self.old = self.end();
    }

    /// What stands from `next` on; `None`: some of it is gone.
    fn from(&self, next: u64) -> Option<Vec<Live>> {
        let skip = usize::try_from(next.checked_sub(self.first)?).ok()?;
        Some(self.items.iter().skip(skip).take(TAKEN).cloned().collect())
    }
}

/// About how much memory an item holds.
fn size(item: &Item) -> usize {
    match item {
        Item::Event(record) => record_size(record),
        Item::Chunk(chunk) => chunk.data.delta.b.len() + 256,
    }
}

fn size_of_live(item: &Live) -> usize {
    match item {
        Live::Event(event) => record_size(&event.record),
        Live::Chunk(live) => live.chunk.data.delta.b.len() + 256,
    }
}

/// The texts of an ended message are nearly all of a large record.
pub(super) fn record_size(record: &events::Record) -> usize {
    let texts = record.data.as_object().into_iter().flatten().filter_map(|(_, value)| value.get("b")?.as_str());
    1_024 + 2 * texts.map(str::len).sum::<usize>()
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

impl Reader {
    /// What came by since the last call, at least one item. Cancel-safe.
    ///
    /// # Errors
    /// Something was missed; the next call goes on with what comes by after this one.
    pub(super) async fn next(&mut self) -> Result<Vec<Live>, Missed> {
        let ring = self.ring.clone();
        loop {
            let news = ring.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let items = ring.recent().from(self.next);
            match items {
                None => return Err(self.catch_up()),
                Some(items) if items.is_empty() => {}
                Some(items) => {
                    self.next += items.len() as u64;
                    return Ok(items);
                }
            }
            news.await;
        }
    }

    /// While messages were in flight when the reader joined (or last missed something): the last event that had come by then.
    /// All chunks with an earlier `after` had been published, so up to here store and log tell the same order as what comes by.
    pub(super) fn met_at(&self) -> Option<Sequence> {
        self.met_at
    }

    fn catch_up(&mut self) -> Missed {
        let watched = self.hub.watched();
        let recent = self.ring.recent();
        let missed = if self.next < recent.torn { Missed::Torn } else { Missed::Slow };
        self.next = recent.end();
        self.met_at = watched.last(self.ring.conversation);
        missed
    }

    /// Tells the ring how far the store was found to be.
    pub(super) fn saw(&self, sequence: Sequence) {
        let mut recent = self.ring.recent();
        recent.seen = recent.seen.max(sequence);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut watched = self.hub.watched();
        if self.ring.readers.fetch_sub(1, Ordering::Relaxed) == 1 {
            watched.rings.remove(&self.ring.conversation);
            metrics::gauge!("loquent_live_conversations").set(count(watched.rings.len()));
        }
    }
}

#[cfg(test)]
mod tests;
