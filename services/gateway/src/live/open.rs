//! A message in flight: its place, and where its next chunk comes from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use events::event::AgentStarted;
use events::{ConversationEvent, MessageId, RunId, Sequence};

use super::cut::{Cut, Cutting};
use super::item::{LiveChunk, LiveEvent};
use super::merge::{Delta, Piece};

/// A message in flight.
pub(super) struct Open {
    pub(super) started: Sequence,
    pub(super) message: MessageId,
    pub(super) run: RunId,
    pub(super) epoch: u32,
    /// When its `AgentStarted` happened.
    pub(super) at: DateTime<Utc>,
    /// Index of the next chunk.
    pub(super) next: u32,
    /// Chunks from before this event are passed over, until something is delivered: the cursor did not name the message.
    pub(super) floor: Sequence,
    /// The first model call of the run, in whatever epoch, after which it went on with tools.
    pub(super) first_said: Option<Sequence>,
    /// What model calls have said that ended up to this event was supplied.
    said_to: Sequence,
    source: Source,
}

/// Where a message's chunks come from.
enum Source {
    /// From the log, as they come; before those, the ones that the ended model calls have, as far as they were supplied.
    Log { said: Option<Cutting>, ahead: BTreeMap<u32, Arc<LiveChunk>> },
    /// It has ended: from its record.
    Record(Cutting),
}

impl Open {
    pub(super) fn new(record: &events::Record, event: &AgentStarted) -> Self {
        Self {
            started: record.sequence,
            message: event.message,
            run: event.run,
            epoch: event.epoch,
            at: record.time,
            next: 0,
            floor: 0,
            first_said: None,
            said_to: 0,
            source: Source::Log { said: None, ahead: BTreeMap::new() },
        }
    }

    /// `after` and delay of the next chunk, if it is there.
    pub(super) fn peek(&self) -> Option<(Sequence, u64)> {
        match &self.source {
            Source::Log { said: Some(cutting), .. } | Source::Record(cutting) => {
                cutting.peek().map(|span| (span.after, span.delay_ms))
            }
            Source::Log { said: None, ahead } => {
                ahead.get(&self.next).map(|live| (live.chunk.data.after, live.chunk.data.delay_ms))
            }
        }
    }

    pub(super) fn take(&mut self) -> Option<Piece> {
        let (kind, delay, delta) = match &mut self.source {
            Source::Log { said: said @ Some(_), ahead } => {
                let (span, delta) = said.as_mut()?.take()?;
                said.take_if(|cutting| cutting.peek().is_none());
                ahead.remove(&self.next);
                (span.kind, span.delay_ms, Delta::Plain(delta))
            }
            Source::Log { said: None, ahead } => {
                let live = ahead.remove(&self.next)?;
                (live.chunk.data.kind, live.chunk.data.delay_ms, Delta::Sealed(live))
            }
            Source::Record(cutting) => {
                let (span, delta) = cutting.take()?;
                (span.kind, span.delay_ms, Delta::Plain(delta))
            }
        };
        let (message, run, epoch, index) = (self.message, self.run, self.epoch, self.next);
        self.next += 1;
        Some(Piece { message, run, epoch, index, kind, at: self.at + Duration::from_millis(delay), delta })
    }

    pub(super) fn pass_over_the_past(&mut self) {
        while self.peek().is_some_and(|(after, _)| after < self.floor) {
            self.take();
        }
    }

    pub(super) fn hold(&mut self, live: Arc<LiveChunk>) {
        if let Source::Log { ahead, .. } = &mut self.source
            && live.chunk.data.epoch == self.epoch
            && live.chunk.data.index >= self.next
        {
            ahead.insert(live.chunk.data.index, live);
        }
    }

    /// How many chunks from the log are held.
    pub(super) fn held(&self) -> usize {
        match &self.source {
            Source::Log { ahead, .. } => ahead.len(),
            Source::Record(_) => 0,
        }
    }

    /// Lets go of the chunks from the log that are held.
    pub(super) fn forget(&mut self) {
        if let Source::Log { ahead, .. } = &mut self.source {
            ahead.clear();
        }
    }

    /// Its chunks up to a model call of this epoch that ended at `sequence`. Kept while there is something to come of them.
    pub(super) fn said(&mut self, sequence: Sequence, cut: Arc<Cut>) {
        self.said_to = self.said_to.max(sequence);
        if let Source::Log { said, .. } = &mut self.source
            && cut.first() <= self.next as usize
        {
            *said = Some(Cutting::new(cut, self.next)).filter(|cutting| cutting.peek().is_some());
        }
    }

    /// All its chunks: it has ended.
    pub(super) fn supply(&mut self, cut: Arc<Cut>) {
        self.source = Source::Record(Cutting::new(cut, self.next));
    }

    /// Whether all its chunks were supplied: it has ended.
    pub(super) fn is_supplied(&self) -> bool {
        matches!(self.source, Source::Record(_))
    }

    /// Whether its chunks were supplied that come before this event, which [closes](LiveEvent::closes) it.
    pub(super) fn is_supplied_to(&self, event: &LiveEvent) -> bool {
        self.is_supplied() || (event.end().is_none() && self.said_to >= event.sequence())
    }
}

/// What an event makes of the messages in flight.
pub(super) fn follow(open: &mut Vec<Open>, event: &LiveEvent) {
    if let Some(ConversationEvent::AgentStarted(started)) = &event.event {
        let before = open.iter().find(|open| open.message == started.message);
        let first_said = before.and_then(|before| before.first_said);
        open.retain(|open| open.message != started.message);
        open.push(Open { first_said, ..Open::new(&event.record, started) });
    } else if let Some((run, ..)) = event.said() {
        for open in open.iter_mut().filter(|open| open.run == run) {
            open.first_said = open.first_said.or(Some(event.sequence()));
        }
    } else if let Some(end) = event.end() {
        open.retain(|open| open.message != end.message);
    }
}
