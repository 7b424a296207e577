//! What happens under the one lock: events and chunks get their common order here.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_store::Position;
use events::{ConversationEvent, ConversationId, Decoded, MessageId, Record, Sequence};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tracing::warn;

use crate::{Chunk, Item};

/// Items that wait for one reader at most; one that falls behind further is told so.
const QUEUE: usize = 16_384;
/// Ended messages that are remembered, so that a late chunk of theirs does not open them again.
const REMEMBERED: usize = 4_096;

/// Readers, open messages, and how far both are.
pub(super) struct Delivery {
    position: Position,
    readers: Vec<Reader>,
    running: HashMap<ConversationId, Running>,
    ended: Ended,
}

/// A conversation with an open message.
#[derive(Default)]
struct Running {
    /// The last event that was delivered since the first of its messages began.
    delivered: Sequence,
    open: HashMap<MessageId, Open>,
}

#[derive(Default)]
struct Open {
    epoch: u32,
    chunks: Vec<Arc<Chunk>>,
}

struct Reader {
    queue: Sender<Item>,
    lagged: Arc<AtomicBool>,
}

/// A reader's end of its queue.
pub(super) struct Subscription {
    pub(super) queue: Receiver<Item>,
    lagged: Arc<AtomicBool>,
}

impl Delivery {
    pub(super) fn new(position: Position) -> Self {
        Self { position, readers: Vec::new(), running: HashMap::new(), ended: Ended::default() }
    }

    /// The last position that was delivered.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn subscribe(&mut self) -> Subscription {
        let (sender, queue) = mpsc::channel(QUEUE);
        let lagged = Arc::new(AtomicBool::new(false));
        self.readers.push(Reader { queue: sender, lagged: Arc::clone(&lagged) });
        Subscription { queue, lagged }
    }

    /// Passes over a row that nobody can read.
    pub(super) fn pass(&mut self, position: Position) {
        self.position = position;
    }

    pub(super) fn deliver(&mut self, position: Position, record: Record) {
        self.position = position;
        match record.event() {
            Ok(Decoded::Known(event)) => self.follow(&record, &event),
            Ok(Decoded::Unknown) => {}
            Err(error) => {
                metrics::counter!("loquent_log_undecodable_total", "consumer" => "tail").increment(1);
                warn!(%position, %error, "an event of the store cannot be read");
                return;
            }
        }
        if let Some(running) = self.running.get_mut(&record.subject) {
            running.delivered = running.delivered.max(record.sequence);
        }
        self.send(&Item::Event(Arc::new(record)));
    }

    fn follow(&mut self, record: &Record, event: &ConversationEvent) {
        match event {
            ConversationEvent::AgentStarted(started) => {
                let running = self.running.entry(record.subject).or_default();
                running.open.entry(started.message).or_default().enter(started.epoch);
            }
            ConversationEvent::MessageCompleted(ended) => self.end(record.subject, ended.message),
            ConversationEvent::MessageFailed(ended) => self.end(record.subject, ended.message),
            ConversationEvent::MessageStopped(ended) => self.end(record.subject, ended.message),
            _ => {}
        }
    }

    fn end(&mut self, conversation: ConversationId, message: MessageId) {
        self.ended.add(message);
        if let Some(running) = self.running.get_mut(&conversation) {
            running.open.remove(&message);
            if running.open.is_empty() {
                self.running.remove(&conversation);
            }
        }
    }

    /// Puts a chunk behind all that was delivered and answers the `after` that says so. A chunk of an older epoch, or of an ended
    /// message, goes nowhere.
    pub(super) fn append(&mut self, mut chunk: Chunk) -> Sequence {
        if self.ended.contains(&chunk.data.message) {
            return chunk.data.after;
        }
        let running = self.running.entry(chunk.conversation).or_default();
        chunk.data.after = chunk.data.after.max(running.delivered);
        let after = chunk.data.after;
        let open = running.open.entry(chunk.data.message).or_default();
        if chunk.data.epoch < open.epoch {
            return after;
        }
        open.enter(chunk.data.epoch);
        let chunk = Arc::new(chunk);
        open.chunks.push(Arc::clone(&chunk));
        self.send(&Item::Chunk(chunk));
        after
    }

    pub(super) fn chunks_of(&self, conversation: ConversationId, message: MessageId) -> Vec<Arc<Chunk>> {
        let open = self.running.get(&conversation).and_then(|running| running.open.get(&message));
        open.map(|open| open.chunks.clone()).unwrap_or_default()
    }

    fn send(&mut self, item: &Item) {
        self.readers.retain(|reader| reader.send(item));
    }
}

impl Open {
    fn enter(&mut self, epoch: u32) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.chunks.clear();
        }
    }
}

impl Reader {
    /// Whether the reader is still there.
    fn send(&self, item: &Item) -> bool {
        if self.lagged.load(Ordering::Relaxed) {
            return !self.queue.is_closed();
        }
        match self.queue.try_send(item.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.lagged.store(true, Ordering::Relaxed);
                metrics::counter!("loquent_log_lagged_total").increment(1);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

impl Subscription {
    /// To be asked under the lock: whether all that came before the gap is read and the gap is next. The reader is then filled again.
    pub(super) fn take_gap(&mut self) -> bool {
        self.queue.is_empty() && self.lagged.swap(false, Ordering::Relaxed)
    }

    pub(super) fn is_lagged(&self) -> bool {
        self.lagged.load(Ordering::Relaxed)
    }
}

/// The messages that ended last.
#[derive(Default)]
struct Ended {
    known: HashSet<MessageId>,
    order: VecDeque<MessageId>,
}

impl Ended {
    fn add(&mut self, message: MessageId) {
        if self.known.insert(message) {
            self.order.push_back(message);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn contains(&self, message: &MessageId) -> bool {
        self.known.contains(message)
    }
}
