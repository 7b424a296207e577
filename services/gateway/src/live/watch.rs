//! One subscriber's way through a conversation: the past, then what comes by, refilled from the past wherever it missed something.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use events::{ConversationEvent, ConversationId, Cursor, Kind, MessageId, PersonId, Sequence};
use tokio::time::{Instant, sleep};

use super::Parts;
use super::change::Update;
use super::fill::{Fill, Handover, Progress, merge_at};
use super::hub::{Missed, Reader};
use super::item::{Live, LiveEvent};
use super::merge::{Merge, Piece, Step};
use super::opening;
use crate::{Error, Result};

/// How long something may be held before what it waits for is looked for in the store and on the log.
const PATIENCE: Duration = Duration::from_millis(250);
const MOST_PATIENCE: Duration = Duration::from_secs(8);
/// How long a store that does not answer is waited for, and how often it is asked meanwhile.
const OUTAGE: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_millis(500);

/// A subscription under way. Idle ones are many: whatever is large lives behind a pointer and only while it is needed.
pub(super) struct Watch {
    parts: Arc<Parts>,
    conversation: ConversationId,
    viewer: PersonId,
    reader: Reader,
    merge: Merge,
    /// There while the reader goes through the past.
    fill: Option<Box<Fill>>,
    /// Delivered first, each with the cursor after it.
    prelude: VecDeque<(Cursor, Arc<LiveEvent>)>,
    /// The one message that is wanted.
    only: Option<MessageId>,
    patience: Duration,
    /// The store has this event; it has to come by, or is fetched.
    expected: Sequence,
    /// The reader's place: the cursor that it has seen last.
    place: Cursor,
    /// Something was taken out of the merge and could not be shown: all has to begin again at `place`.
    torn: bool,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    No,
    /// Whether the viewer may still see more has to be asked.
    Removed,
    Yes,
}

impl Watch {
    pub(super) fn new(
        parts: Arc<Parts>,
        reader: Reader,
        viewer: PersonId,
        conversation: ConversationId,
        place: Cursor,
        merge: Merge,
    ) -> Self {
        let handover = Some(Handover(reader.met_at()));
        let (fill, prelude, only) = (Some(Box::new(Fill::new(handover))), VecDeque::new(), None);
        Self {
            parts,
            conversation,
            viewer,
            reader,
            merge,
            fill,
            prelude,
            only,
            patience: PATIENCE,
            expected: 0,
            place,
            torn: false,
            end: End::No,
        }
    }

    /// Delivers these first; they are the `AgentStarted` of the messages in flight.
    pub(super) fn after(mut self, prelude: VecDeque<(Cursor, Arc<LiveEvent>)>) -> Self {
        self.prelude = prelude;
        self
    }

    /// Delivers this message alone, and ends with it.
    pub(super) fn only(mut self, message: MessageId) -> Self {
        self.only = Some(message);
        self
    }

    /// The next update; `None`: there are no more. A store that is away for a while is waited for.
    ///
    /// # Errors
    /// The store, the keys; not found, once the viewer was removed. The subscription is over then.
    pub(super) async fn next(&mut self) -> Result<Option<Update>> {
        let mut failing: Option<Instant> = None;
        loop {
            match self.advance().await {
                Ok(update) => {
                    if let Some(update) = &update {
                        self.place.clone_from(&update.cursor);
                    }
                    return Ok(update);
                }
                Err(error) if is_outage(&error) && failing.is_none_or(|since| since.elapsed() < OUTAGE) => {
                    failing.get_or_insert_with(Instant::now);
                    self.torn = true;
                    sleep(AGAIN).await;
                }
                Err(error) => {
                    self.end = End::Yes;
                    return Err(error);
                }
            }
        }
    }

    /// Begins again at the reader's place, as a client would that connects again.
    async fn mend(&mut self) -> Result<()> {
        let chunks = self.merge.wants_chunks();
        self.merge = merge_at(&self.parts, self.conversation, &self.place, Sequence::MAX, chunks).await?;
        self.refill(None);
        (self.torn, self.end) = (false, End::No);
        Ok(())
    }

    async fn advance(&mut self) -> Result<Option<Update>> {
        if self.end == End::Yes {
            return Ok(None);
        }
        if let Some(update) = self.begin().await? {
            return Ok(Some(update));
        }
        if self.torn {
            Box::pin(self.mend()).await?;
        }
        loop {
            match self.end {
                End::No => {}
                End::Yes => return Ok(None),
                End::Removed => Box::pin(self.check_access()).await?,
            }
            let update = match self.merge.step() {
                Step::Event(event) => self.event(&event).await?,
                Step::Chunk(piece) => self.chunk(piece).await?,
                Step::Cut(end) => {
                    self.cut(&end).await?;
                    None
                }
                Step::Gap => {
                    self.refill(None);
                    None
                }
                Step::Wait if self.fill.is_some() => {
                    Box::pin(self.past()).await?;
                    None
                }
                Step::Wait => {
                    self.live().await;
                    None
                }
            };
            if update.is_some() {
                return Ok(update);
            }
        }
    }

    async fn begin(&mut self) -> Result<Option<Update>> {
        while let Some((cursor, event)) = self.prelude.front().cloned() {
            let update = self.shown(&event).await?;
            self.prelude.pop_front();
            if let Some(update) = update {
                return Ok(Some(Update { cursor, ..update }));
            }
        }
        Ok(None)
    }

    /// Takes what came by; returns when there is something to do.
    async fn live(&mut self) {
        let came = if self.merge.holds() || self.merge.sequence() < self.expected {
            tokio::time::timeout(self.patience, self.reader.next()).await.map_err(|_| ())
        } else {
            Ok(self.reader.next().await)
        };
        match came {
            Ok(Ok(items)) => {
                for item in items {
                    match item {
                        Live::Event(event) => self.merge.event(event),
                        Live::Chunk(chunk) => self.merge.chunk(chunk),
                    }
                }
            }
            Ok(Err(Missed::Slow)) => self.refill(Some(Handover(self.reader.met_at()))),
            Ok(Err(Missed::Torn)) => self.refill(None),
            Err(()) => {
                self.patience = (self.patience * 2).min(MOST_PATIENCE);
                self.refill(None);
            }
        }
    }

    /// Goes back to the store from where the reader stands.
    fn refill(&mut self, handover: Option<Handover>) {
        metrics::counter!("loquent_live_refills_total").increment(1);
        self.merge.forget();
        self.fill = Some(Box::new(Fill::new(handover)));
    }

    /// One step through the past.
    async fn past(&mut self) -> Result<()> {
        let Some(fill) = &mut self.fill else { return Ok(()) };
        if std::mem::take(&mut fill.hungry) {
            if self.merge.wants_chunks() {
                fill.supply(&self.parts, self.conversation, &mut self.merge, self.only).await?;
            }
            return Ok(());
        }
        match fill.advance(&self.parts, self.conversation, &mut self.merge, self.only).await? {
            Progress::Further => return Ok(()),
            Progress::Over => {}
            Progress::Early => self.expected = self.merge.sequence() + 1,
        }
        self.fill = None;
        self.reader.saw(self.merge.sequence());
        if let Some(message) = self.only {
            self.check_running(message).await?;
        }
        Ok(())
    }

    async fn event(&mut self, event: &Arc<LiveEvent>) -> Result<Option<Update>> {
        self.patience = PATIENCE;
        match &event.event {
            Some(ConversationEvent::AgentStarted(_)) => {
                self.fill.iter_mut().for_each(|fill| fill.hungry = true);
            }
            Some(ConversationEvent::ParticipantRemoved(removed)) if removed.person == self.viewer => {
                self.end = End::Removed;
            }
            _ => {}
        }
        let update = self.shown(event).await?;
        if self.only.is_some() && event.is_the_last_of_its_message() && update.is_some() {
            self.end = End::Yes;
        }
        Ok(update)
    }

    async fn shown(&self, event: &LiveEvent) -> Result<Option<Update>> {
        if self.only.is_some_and(|only| event.message() != Some(only)) {
            return Ok(None);
        }
        let change = opening::of_event(&self.parts.keyring, event).await?;
        let (conversation, at) = (self.conversation, event.record.time);
        Ok(change.map(|change| Update { conversation, cursor: self.merge.cursor(), at, change }))
    }

    async fn chunk(&mut self, piece: Piece) -> Result<Option<Update>> {
        self.patience = PATIENCE;
        if self.only.is_some_and(|only| piece.message != only) {
            return Ok(None);
        }
        let shown = opening::of_chunk(&self.parts.keyring, piece).await?;
        let (conversation, cursor) = (self.conversation, self.merge.cursor());
        Ok(shown.map(|(at, change)| Update { conversation, cursor, at, change }))
    }

    async fn cut(&mut self, event: &LiveEvent) -> Result<()> {
        let keyring = &self.parts.keyring;
        if let Some(end) = event.end() {
            let cut = opening::texts(keyring, event).await?.cut.clone();
            self.merge.supply(end.message, cut);
            return Ok(());
        }
        let Some(open) = self.merge.open().iter().find(|open| event.closes(open.message, open.run)) else {
            return Ok(());
        };
        let (message, next) = (open.message, open.next as usize);
        let cut = opening::said_by(keyring, event, open.started).await?;
        if cut.first() > next {
            // Chunks from before this call are missing too: earlier calls have them.
            let conversation = self.conversation;
            Fill::new(None).supply(&self.parts, conversation, &mut self.merge, Some(message)).await?;
        }
        self.merge.said(message, event.sequence(), Arc::new(cut));
        Ok(())
    }

    /// A participant's removal may be long past: who was added again reads on.
    async fn check_access(&mut self) -> Result<()> {
        let loaded = self.parts.commands.load(self.conversation).await?;
        if loaded.is_none_or(|loaded| !loaded.state.has_participant(self.viewer)) {
            return Err(Error::NotFound("conversation"));
        }
        self.end = End::No;
        Ok(())
    }

    /// The past is over and the message's end was not in it: unless it goes on, it lies before the reader's cursor.
    async fn check_running(&mut self, message: MessageId) -> Result<()> {
        let Some(loaded) = self.parts.commands.load(self.conversation).await? else { return Ok(()) };
        let running = loaded.state.turn.as_ref().is_some_and(|turn| turn.open_runs().any(|run| run.message == message));
        if running {
            return Ok(());
        }
        if loaded.sequence <= self.merge.sequence() {
            self.end = End::Yes;
        } else {
            self.refill(None);
        }
        Ok(())
    }
}

/// Whether it will pass by itself.
fn is_outage(error: &Error) -> bool {
    error.kind() == Kind::Unavailable
}
