//! Events and chunks put in order, whatever way and order they come in: pure, so it is the same for ring, fill and replay.
//!
//! An event is delivered at its sequence. A chunk is delivered when its `AgentStarted` was, its epoch is the message's highest,
//! its index is the next and the event that it came after was delivered. Before the end of a message is delivered, its
//! remaining chunks are, cut from the end's own record; before its run goes on with tools, those of the model call that wanted these.
//! Everything else is held, or was delivered before and is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use events::{ChunkKind, ConversationEvent, Cursor, MessageId, OpenMessage, RunId, Sequence};

use super::cut::Cut;
use super::item::{LiveChunk, LiveEvent};
use super::open::{Open, follow};

/// More than this is not held: a refill brings what was dropped.
const HELD_EVENTS: usize = 16;
const HELD_CHUNKS: usize = 512;

/// One reader's place and what it holds back.
pub(super) struct Merge {
    sequence: Sequence,
    /// The messages in flight at this place, by `started`.
    open: Vec<Open>,
    events: BTreeMap<Sequence, Arc<LiveEvent>>,
    /// Chunks of epochs whose `AgentStarted` has not come by yet.
    early: Vec<Arc<LiveChunk>>,
    chunks: bool,
}

/// What is the reader's next.
pub(super) enum Step {
    Event(Arc<LiveEvent>),
    Chunk(Piece),
    /// This end of a message, or of a model call of it, is next, and its chunks are wanted before it: [`Merge::supply`] them, or
    /// [`Merge::said`].
    Cut(Arc<LiveEvent>),
    /// An event is missing.
    Gap,
    /// Nothing.
    Wait,
}

/// A chunk in its place.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) message: MessageId,
    pub(super) run: RunId,
    pub(super) epoch: u32,
    pub(super) index: u32,
    pub(super) kind: ChunkKind,
    pub(super) at: DateTime<Utc>,
    pub(super) delta: Delta,
}

#[derive(Clone)]
pub(super) enum Delta {
    Sealed(Arc<LiveChunk>),
    Plain(String),
}

impl Merge {
    /// A reader just after the event `sequence`, where these messages are in flight.
    pub(super) fn new(sequence: Sequence, mut open: Vec<Open>, chunks: bool) -> Self {
        open.sort_by_key(|open| open.started);
        Self { sequence, open, events: BTreeMap::new(), early: Vec::new(), chunks }
    }

    /// The last event delivered.
    pub(super) fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The messages in flight.
    pub(super) fn open(&self) -> &[Open] {
        &self.open
    }

    /// The reader's place.
    pub(super) fn cursor(&self) -> Cursor {
        let open = self.open.iter().map(|open| OpenMessage { started: open.started, chunks: open.next });
        Cursor { sequence: self.sequence, open: open.collect() }
    }

    /// Whether a message is in flight whose chunks come one by one.
    pub(super) fn awaits_chunks(&self, only: Option<MessageId>) -> bool {
        let awaited = |open: &Open| !open.is_supplied() && only.is_none_or(|only| only == open.message);
        self.chunks && self.open.iter().any(awaited)
    }

    /// Whether chunks are delivered at all.
    pub(super) fn wants_chunks(&self) -> bool {
        self.chunks
    }

    /// Whether something is held: if that lasts, something was missed.
    pub(super) fn holds(&self) -> bool {
        !self.events.is_empty() || !self.early.is_empty() || self.open.iter().any(|open| open.held() > 0)
    }

    /// Lets go of everything held: a refill brings it again.
    pub(super) fn forget(&mut self) {
        self.events.clear();
        self.early.clear();
        self.open.iter_mut().for_each(Open::forget);
    }

    /// An event came by.
    pub(super) fn event(&mut self, event: Arc<LiveEvent>) {
        let new = event.sequence() > self.sequence;
        if new && (self.events.len() < HELD_EVENTS || event.sequence() == self.sequence + 1) {
            self.events.insert(event.sequence(), event);
        }
    }

    /// A chunk came by.
    pub(super) fn chunk(&mut self, live: Arc<LiveChunk>) {
        if self.early.len() >= HELD_CHUNKS || self.open.iter().any(|open| open.held() >= HELD_CHUNKS) {
            return;
        }
        let chunk = &live.chunk.data;
        match self.open.iter_mut().find(|open| open.message == chunk.message && open.epoch >= chunk.epoch) {
            Some(open) if self.chunks => open.hold(live),
            None if self.chunks && chunk.after > self.sequence => self.early.push(live),
            // Its AgentStarted lies before `after` and was delivered long ago: the message has ended or the epoch was superseded.
            _ => {}
        }
    }

    /// All the chunks that the log has of a message in flight.
    pub(super) fn backlog(&mut self, message: MessageId, chunks: impl IntoIterator<Item = Arc<LiveChunk>>) {
        if let Some(open) = self.open.iter_mut().find(|open| open.message == message && self.chunks) {
            chunks.into_iter().for_each(|live| open.hold(live));
        }
    }

    /// The chunks of a message in flight up to a model call of its epoch, from the records of the calls that have ended: the log
    /// may have lost them.
    pub(super) fn said(&mut self, message: MessageId, call_ended: Sequence, cut: Arc<Cut>) {
        if let Some(open) = self.open.iter_mut().find(|open| open.message == message && self.chunks) {
            open.said(call_ended, cut);
        }
    }

    /// All the chunks of a message in flight, from the record of its end.
    pub(super) fn supply(&mut self, message: MessageId, cut: Arc<Cut>) {
        if let Some(open) = self.open.iter_mut().find(|open| open.message == message) {
            open.supply(cut);
        }
    }

    /// Takes what is next; the reader's place is then just after it.
    pub(super) fn step(&mut self) -> Step {
        if let Some(piece) = self.ready_chunk() {
            return Step::Chunk(piece);
        }
        let Some((&sequence, event)) = self.events.first_key_value() else { return Step::Wait };
        if sequence != self.sequence + 1 {
            return Step::Gap;
        }
        if self.chunks
            && let Some(open) = self.open.iter_mut().find(|open| event.closes(open.message, open.run))
        {
            if !open.is_supplied_to(event) {
                return Step::Cut(event.clone());
            }
            if event.end().is_some()
                && let Some(piece) = open.take()
            {
                self.settle();
                return Step::Chunk(piece);
            }
        }
        let event = event.clone();
        self.events.remove(&sequence);
        self.deliver(&event);
        Step::Event(event)
    }

    /// The earliest chunk whose turn it is.
    fn ready_chunk(&mut self) -> Option<Piece> {
        let sequence = self.sequence;
        self.open.iter_mut().for_each(Open::pass_over_the_past);
        let ready = self.open.iter_mut().filter_map(|open| {
            let (after, delay) = open.peek()?;
            (after <= sequence).then(|| (open.at + Duration::from_millis(delay), open))
        });
        let piece = ready.min_by_key(|(at, open)| (*at, open.started)).and_then(|(_, open)| open.take())?;
        self.settle();
        Some(piece)
    }

    /// From the first delivery on the cursor names every message in flight.
    fn settle(&mut self) {
        self.open.iter_mut().for_each(|open| open.floor = 0);
    }

    fn deliver(&mut self, event: &LiveEvent) {
        self.sequence = event.sequence();
        self.settle();
        follow(&mut self.open, event);
        if let Some(ConversationEvent::AgentStarted(started)) = &event.event
            && let Some(open) = self.open.last_mut()
        {
            let (mine, others) = self.early.drain(..).partition(|live| live.chunk.data.message == started.message);
            self.early = others;
            Vec::into_iter(mine).for_each(|live| open.hold(live));
        }
        self.early.retain(|live| live.chunk.data.after > event.record.sequence);
    }
}

#[cfg(test)]
mod tests;
