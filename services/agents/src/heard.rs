//! How far the log has come in the conversations whose answers are being made: a chunk names the last event before it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use event_log::{EventLog, Item, Tail};
use events::{ConversationId, Sequence};

#[derive(Default)]
struct Place {
    listeners: usize,
    latest: Sequence,
}

/// The last event heard of, for each conversation that somebody listens to.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<HashMap<ConversationId, Place>>>);

/// Keeps a conversation's place as long as it lives.
pub(crate) struct Listener {
    heard: Heard,
    conversation: ConversationId,
}

impl Heard {
    /// Listens to a conversation, in which `latest` has been seen.
    pub(crate) fn listen(&self, conversation: ConversationId, latest: Sequence) -> Listener {
        self.with(|places| {
            let place = places.entry(conversation).or_default();
            place.listeners += 1;
            place.latest = place.latest.max(latest);
        });
        Listener { heard: self.clone(), conversation }
    }

    /// Follows the log until told to stop. The embedded log stamps chunks by itself, so there it has nothing to do.
    pub(crate) async fn follow(self, log: EventLog, shutdown: CancellationToken) {
        if matches!(log, EventLog::Embedded(_)) {
            return;
        }
        while !shutdown.is_cancelled() {
            let Some(tail) = shutdown.run_until_cancelled(log.tail_events()).await else { return };
            match tail {
                Ok(tail) => self.read(tail, &shutdown).await,
                Err(error) => tracing::warn!(%error, "the log cannot be followed"),
            }
            shutdown.run_until_cancelled(tokio::time::sleep(std::time::Duration::from_secs(1))).await;
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
                        place.latest = place.latest.max(record.sequence);
                    }
                }
            });
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<ConversationId, Place>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listener {
    pub(crate) fn latest(&self) -> Sequence {
        self.heard.with(|places| places.get(&self.conversation).map_or(0, |place| place.latest))
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
