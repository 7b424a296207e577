//! What the log tells of the conversations that are worked on: how far it has come, since a chunk names the last event before it;
//! and that somebody stops the turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use commands::Commands;
use event_log::{EventLog, Item, Tail};
use events::{ConversationEvent, ConversationId, Decoded, Record, Sequence, TurnId};

/// Before another try to follow the log.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Place {
    listeners: usize,
    latest: Sequence,
    /// The last turn that somebody wanted to stop.
    stopped: watch::Sender<Option<TurnId>>,
}

/// Each conversation that somebody listens to.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<HashMap<ConversationId, Place>>>);

/// Keeps a conversation's place as long as it lives.
pub(crate) struct Listener {
    heard: Heard,
    conversation: ConversationId,
    stopped: watch::Receiver<Option<TurnId>>,
}

impl Heard {
    /// Listens to a conversation, in which `latest` has been seen.
    pub(crate) fn listen(&self, conversation: ConversationId, latest: Sequence) -> Listener {
        let stopped = self.with(|places| {
            let place = places.entry(conversation).or_default();
            place.listeners += 1;
            place.latest = place.latest.max(latest);
            place.stopped.subscribe()
        });
        Listener { heard: self.clone(), conversation, stopped }
    }

    /// Follows the log until told to stop.
    pub(crate) async fn follow(self, log: EventLog, commands: Commands, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let Some(tail) = shutdown.run_until_cancelled(log.tail_events()).await else { return };
            match tail {
                Ok(tail) => {
                    // What happened while nobody read.
                    self.catch_up(&commands).await;
                    self.read(tail, &shutdown).await;
                }
                Err(error) => tracing::warn!(%error, "the log cannot be followed"),
            }
            shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }

    async fn catch_up(&self, commands: &Commands) {
        let listened: Vec<_> = self.with(|places| places.keys().copied().collect());
        for conversation in listened {
            let Ok(Some(loaded)) = commands.load(conversation).await else { continue };
            let stopped = loaded.state.turn.as_ref().filter(|turn| turn.stop.is_some()).map(|turn| turn.turn);
            self.with(|places| {
                if let (Some(place), Some(turn)) = (places.get_mut(&conversation), stopped) {
                    place.stopped.send_replace(Some(turn));
                }
            });
        }
    }

    async fn read(&self, mut tail: Tail, shutdown: &CancellationToken) {
        while let Some(items) = shutdown.run_until_cancelled(tail.next()).await {
            let items = match items {
                Ok(items) => items,
                Err(error) => return tracing::warn!(%error, "following the log has ended"),
            };
            self.with(|places| {
                for item in &items {
                    if let Item::Event(record) = item
                        && let Some(place) = places.get_mut(&record.subject)
                    {
                        place.hear(record);
                    }
                }
            });
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<ConversationId, Place>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Place {
    fn hear(&mut self, record: &Record) {
        self.latest = self.latest.max(record.sequence);
        if let Ok(Decoded::Known(ConversationEvent::StopRequested(stop))) = record.event() {
            self.stopped.send_replace(Some(stop.turn));
        }
    }
}

impl Listener {
    pub(crate) fn latest(&self) -> Sequence {
        self.heard.with(|places| places.get(&self.conversation).map_or(0, |place| place.latest))
    }

    /// An event of one's own: what is said now comes after it, even if the log has not told of it yet.
    pub(crate) fn saw(&self, sequence: Sequence) {
        self.heard.with(|places| {
            if let Some(place) = places.get_mut(&self.conversation) {
                place.latest = place.latest.max(sequence);
            }
        });
    }

    /// Returns when somebody stops the turn, also if that was before.
    pub(crate) async fn stopped(&self, turn: TurnId) {
        let mut stopped = self.stopped.clone();
        if stopped.wait_for(|stopped| *stopped == Some(turn)).await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.heard.with(|places| {
            if let Some(place) = places.get_mut(&self.conversation) {
                place.listeners -= 1;
                if place.listeners == 0 {
                    places.remove(&self.conversation);
                }
            }
        });
    }
}
