//! The past from the store, and the chunks of what is still being said from the log.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use events::{ConversationEvent, ConversationId, Cursor, MessageId, Record, RunId, Sequence};

use super::Parts;
use super::hub::record_size;
use super::item::{LiveChunk, LiveEvent};
use super::merge::Merge;
use super::open::Open;
use super::opening;
use super::start::{bounds_a_turn, open_at};
use crate::{Error, Result};

/// Events that one look at the store brings: more and more while they are small.
const LEAST: usize = 4;
const MOST: usize = 128;
/// What a reader holds of them: the rest is dropped and read again, because it may be long until a slow reader comes to it.
const WINDOW_BYTES: usize = 512 << 10;
/// Events that one look back brings at first; a turn is seldom longer, but one of a team that uses tools is.
const LOOK_BACK: usize = 8;
/// Events that one look, back or ahead, brings at most: each may carry a whole answer.
const LOOK_AT_MOST: usize = 32;

/// A reader on its way through the past.
pub(super) struct Fill {
    window: VecDeque<Arc<LiveEvent>>,
    limit: usize,
    /// The messages in flight want their chunks: one has just begun, or the reader.
    pub(super) hungry: bool,
    /// The log did not give them: it is not asked again for every window.
    silent: bool,
    /// With messages in flight it ends where what comes by takes over, so that the order is the log's own.
    handover: Option<Handover>,
}

/// Where the reader and its ring met.
#[derive(Clone, Copy)]
pub(super) struct Handover(pub(super) Option<Sequence>);

/// How far a step through the past came.
pub(super) enum Progress {
    /// The merge has another event, or wants chunks before it.
    Further,
    /// This was all.
    Over,
    /// There is more in the store; it will come by.
    Early,
}

/// How a message in flight goes on after a window.
enum Fate {
    Ended(Arc<LiveEvent>),
    Superseded,
    /// These model calls of its run have ended since the first that went on with tools; all such that there are.
    Open(Vec<Arc<LiveEvent>>),
}

/// A message in flight, as it is looked for.
#[derive(Clone, Copy)]
struct Sought {
    message: MessageId,
    run: RunId,
    started: Sequence,
    since: DateTime<Utc>,
    first_said: Option<Sequence>,
}

impl Fill {
    /// Without a handover it goes on to the store's end.
    pub(super) fn new(handover: Option<Handover>) -> Self {
        Self { window: VecDeque::new(), limit: LEAST, hungry: true, silent: false, handover }
    }

    /// Gives the merge the next event.
    pub(super) async fn advance(
        &mut self,
        parts: &Parts,
        conversation: ConversationId,
        merge: &mut Merge,
        only: Option<MessageId>,
    ) -> Result<Progress> {
        let met = self.handover.is_some_and(|Handover(at)| at.is_none_or(|at| merge.sequence() >= at));
        if met && merge.awaits_chunks(only) {
            let more =
                !self.window.is_empty() || !parts.store.load(conversation, merge.sequence(), 1).await?.is_empty();
            return Ok(if more { Progress::Early } else { Progress::Over });
        }
        if self.window.is_empty() {
            let mut records = parts.store.load(conversation, merge.sequence(), self.limit).await?;
            let fitting = fitting(&records);
            self.limit = if fitting < records.len() { fitting.max(LEAST) } else { (self.limit * 2).min(MOST) };
            records.truncate(fitting);
            self.window = records.into_iter().map(|record| LiveEvent::new(Arc::new(record))).collect();
            // A slow reader comes here long after it asked for the chunks: some may have come between these events.
            if !self.window.is_empty() && !self.silent && merge.awaits_chunks(only) {
                self.hungry = true;
                return Ok(Progress::Further);
            }
        }
        let Some(event) = self.window.pop_front() else { return Ok(Progress::Over) };
        if event.sequence() != merge.sequence() + 1 {
            return Err(Error::Broken(format!("{conversation} has no event {}", merge.sequence() + 1)));
        }
        merge.event(event);
        Ok(Progress::Further)
    }

    /// Gives the merge the chunks of the messages in flight: all of those that have ended since, what there is of the others. The log
    /// keeps chunks for a while only; of a run that has waited for its tools that long, its ended model calls have them.
    pub(super) async fn supply(
        &mut self,
        parts: &Parts,
        conversation: ConversationId,
        merge: &mut Merge,
        only: Option<MessageId>,
    ) -> Result<()> {
        let open = merge.open().iter().filter(|open| only.is_none_or(|only| open.message == only));
        let open: Vec<_> = open.map(Sought::new).collect();
        for sought in open {
            let message = sought.message;
            match self.fate(parts, conversation, &sought, merge.sequence()).await? {
                Fate::Ended(end) => merge.supply(message, opening::texts(&parts.keyring, &end).await?.cut.clone()),
                Fate::Superseded => {}
                Fate::Open(said) => {
                    if let Some(last) = said.last() {
                        let cut = opening::said(&parts.keyring, &said, sought.started).await?.unwrap_or_default();
                        merge.said(message, last.sequence(), Arc::new(cut));
                    }
                    match parts.chunks_of(conversation, message, sought.since).await {
                        Ok(chunks) => merge.backlog(message, chunks.into_iter().map(LiveChunk::new)),
                        // The reader holds what comes later, and so asks again; at the latest the message's record has them.
                        Err(error) => {
                            self.silent = true;
                            tracing::debug!(%error, "the chunks of an open message could not be read");
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks ahead for what becomes of a message that is in flight after `sequence`, and from there back for what it has said.
    async fn fate(
        &self,
        parts: &Parts,
        conversation: ConversationId,
        sought: &Sought,
        sequence: Sequence,
    ) -> Result<Fate> {
        let mut said = Vec::new();
        let mut after = sequence;
        match sought.first_said.filter(|first| *first <= sequence) {
            Some(first) => after = first - 1,
            None => {
                for event in &self.window {
                    if let Some(fate) = sought.fate_in(event, &mut said) {
                        return Ok(fate);
                    }
                    after = event.sequence();
                }
            }
        }
        let mut limit = LEAST;
        loop {
            let records = parts.store.load(conversation, after, limit).await?;
            limit = (limit * 2).min(LOOK_AT_MOST);
            let Some(last) = records.last() else { return Ok(Fate::Open(said)) };
            after = last.sequence;
            for record in records {
                if let Some(fate) = sought.fate_in(&LiveEvent::new(Arc::new(record)), &mut said) {
                    return Ok(fate);
                }
            }
        }
    }
}

impl Sought {
    fn new(open: &Open) -> Self {
        let Open { message, run, started, at, first_said, .. } = *open;
        Self { message, run, started, since: at, first_said }
    }

    /// What becomes of it with this event; what the event has said for it is added to `said`.
    fn fate_in(&self, event: &Arc<LiveEvent>, said: &mut Vec<Arc<LiveEvent>>) -> Option<Fate> {
        match &event.event {
            Some(ConversationEvent::AgentStarted(other)) if other.message == self.message => {
                (event.sequence() > self.started).then_some(Fate::Superseded)
            }
            _ if event.said().is_some_and(|(run, ..)| run == self.run) => {
                said.push(event.clone());
                None
            }
            _ => event.end().filter(|end| end.message == self.message).map(|_| Fate::Ended(event.clone())),
        }
    }
}

/// How many of these a reader may hold; one at least.
fn fitting(records: &[Record]) -> usize {
    let mut held = 0;
    let fitting = records.iter().take_while(|record| {
        held += record_size(record);
        held <= WINDOW_BYTES
    });
    fitting.count().max(1)
}

/// A merge that stands at a cursor.
///
/// # Errors
/// Invalid, where there is no such place in this conversation, of which `last` is the last event.
pub(super) async fn merge_at(
    parts: &Parts,
    conversation: ConversationId,
    cursor: &Cursor,
    last: Sequence,
    chunks: bool,
) -> Result<Merge> {
    if cursor.sequence > last {
        return Err(Error::Invalid("the cursor lies beyond the end of this conversation".into()));
    }
    let history = turn_before(parts, conversation, cursor.sequence).await?;
    let open = open_at(&history, cursor);
    for named in &cursor.open {
        let known = open.iter().any(|open| open.started == named.started);
        if !known && !is_agent_started(parts, conversation, named.started).await? {
            return Err(Error::Invalid("the cursor is not of this conversation".into()));
        }
    }
    Ok(Merge::new(cursor.sequence, open, chunks))
}

/// The events of the turn that runs just after `sequence`, or the last ones of the one that has ended before.
pub(super) async fn turn_before(
    parts: &Parts,
    conversation: ConversationId,
    sequence: Sequence,
) -> Result<VecDeque<Arc<LiveEvent>>> {
    let mut history = VecDeque::new();
    let (mut before, mut limit) = (sequence + 1, LOOK_BACK);
    while before > 1 {
        let records = parts.store.load_before(conversation, before, limit).await?;
        limit = (limit * 2).min(LOOK_AT_MOST);
        let Some(first) = records.first() else { break };
        before = first.sequence;
        for record in records.into_iter().rev() {
            let event = LiveEvent::new(Arc::new(record));
            let bound = bounds_a_turn(&event);
            history.push_front(event);
            if bound {
                return Ok(history);
            }
        }
    }
    Ok(history)
}

async fn is_agent_started(parts: &Parts, conversation: ConversationId, sequence: Sequence) -> Result<bool> {
    let found = parts.store.load(conversation, sequence.saturating_sub(1), 1).await?.into_iter().next();
    let event = found.filter(|record| record.sequence == sequence).map(|record| LiveEvent::new(Arc::new(record)));
    Ok(event.is_some_and(|event| matches!(event.event, Some(ConversationEvent::AgentStarted(_)))))
}
