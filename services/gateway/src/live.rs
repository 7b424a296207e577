//! Live updates: what happens in a conversation, after any cursor, then as it happens.
//!
//! One tail of the log per node feeds a ring per watched conversation; a subscriber gets the past from the store and from the
//! records of ended messages, then what comes by. One [`merge`] puts all of it in order and makes the cursors. Whoever misses
//! something goes back to the store from their own place: nothing is lost, and no writer ever waits for a reader.
//!
//! * [`merge`], [`open`], [`start`], [`cut`]: order and cursors, pure
//! * [`hub`], [`follow`]: what comes by
//! * [`fill`]: what has been
//! * [`watch`]: one subscriber
//! * [`opening`], [`change`]: sealed values and names, just before they are shown, and what is

mod change;
mod cut;
mod fill;
mod follow;
mod hub;
mod item;
mod merge;
mod open;
mod opening;
mod start;
mod text;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use commands::{Commands, Loaded};
use event_log::{Chunk, EventLog};
use event_store::EventStore;
use events::{ConversationId, Cursor, MessageId, OpenMessage};
use futures::Stream;
use futures::stream::BoxStream;
use keyring::Keyring;
use projections::{Author, MessageRow, ReadModel};
use tokio::time::timeout;

use self::fill::{merge_at, turn_before};
use self::hub::Hub;
use self::start::{open_at, prelude};
use self::watch::Watch;
use crate::auth::Principal;
use crate::awaited::awaited;
use crate::{Deps, Error, Result};

pub use change::{Change, MessageChange, ToolCallChange, Update};

/// How long the chunks of an open message are waited for; the events don't wait longer.
const CHUNKS: Duration = Duration::from_secs(3);

/// Updates as they are delivered; it ends after an error.
pub type Updates = BoxStream<'static, Result<Update>>;

/// The node's one tail of the log, and everybody who watches. Clones share it.
#[derive(Clone)]
pub struct Live(Arc<Parts>);

struct Parts {
    store: EventStore,
    log: EventLog,
    commands: Commands,
    keyring: Keyring,
    read_model: ReadModel,
    hub: Arc<Hub>,
}

impl Parts {
    async fn chunks_of(
        &self,
        conversation: ConversationId,
        message: MessageId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Arc<Chunk>>> {
        let chunks = timeout(CHUNKS, self.log.chunks_of(conversation, message, since)).await;
        Ok(chunks.map_err(|_| event_log::Error::Unavailable("no answer in time".into()))??)
    }
}

impl Live {
    pub(crate) fn new(deps: &Deps) -> Self {
        Self(Arc::new(Parts {
            store: deps.store.clone(),
            log: deps.log.clone(),
            commands: deps.commands.clone(),
            keyring: deps.keyring.clone(),
            read_model: deps.read_model.clone(),
            hub: Arc::default(),
        }))
    }

    /// Everything that happens in a conversation after a cursor. Without one: from now, preceded by the messages in flight.
    ///
    /// # Errors
    /// Not found, for whoever does not take part; invalid, where the cursor is not of this conversation.
    pub async fn updates(
        &self,
        viewer: &Principal,
        conversation: ConversationId,
        after: Option<Cursor>,
        chunks: bool,
    ) -> Result<Updates> {
        // Joined first: what happens from here on comes by, what happened before is in the store.
        let reader = self.0.hub.join(conversation);
        let loaded = self.access(viewer, conversation).await?;
        let parts = self.0.clone();
        let watch = match after {
            Some(after) => {
                let merge = merge_at(&parts, conversation, &after, loaded.sequence, chunks).await?;
                Watch::new(parts, reader, viewer.person, conversation, after, merge)
            }
            None => {
                let now = Cursor::at(loaded.sequence);
                let history = turn_before(&parts, conversation, now.sequence).await?;
                // All that happened counts as delivered, but no chunk does.
                let mut open = open_at(&history, &now);
                open.iter_mut().for_each(|open| open.floor = 0);
                let named = open.iter().map(|open| OpenMessage { started: open.started, chunks: 0 }).collect();
                let place = Cursor { sequence: now.sequence, open: named };
                let prelude = prelude(&history, &open, &place);
                let merge = merge::Merge::new(now.sequence, open, chunks);
                Watch::new(parts, reader, viewer.person, conversation, place, merge).after(prelude)
            }
        };
        Ok(stream(watch))
    }

    /// One message until it ends, after a cursor or from its beginning; a person's is whole at once.
    ///
    /// # Errors
    /// Not found; invalid, where the cursor is not of its conversation.
    pub async fn message_updates(
        &self,
        viewer: &Principal,
        message: MessageId,
        after: Option<Cursor>,
    ) -> Result<Updates> {
        let row = self.message(viewer, message).await?;
        let conversation = row.conversation;
        let reader = self.0.hub.join(conversation);
        let loaded = self.access(viewer, conversation).await.map_err(|error| match error {
            Error::NotFound(_) => Error::NotFound("message"),
            other => other,
        })?;
        let from = after.unwrap_or_else(|| Cursor::at(row.sequence.saturating_sub(1)));
        let merge = merge_at(&self.0, conversation, &from, loaded.sequence.max(row.sequence), true).await?;
        if matches!(row.author, Author::Person(_)) && from.sequence >= row.sequence {
            return Ok(Box::pin(futures::stream::empty()));
        }
        Ok(stream(Watch::new(self.0.clone(), reader, viewer.person, conversation, from, merge).only(message)))
    }

    /// To whoever does not take part there is no such conversation.
    async fn access(&self, viewer: &Principal, conversation: ConversationId) -> Result<Arc<Loaded>> {
        let loaded = self.0.commands.load(conversation).await?;
        let visible =
            |loaded: &Arc<Loaded>| loaded.tenant == viewer.tenant && loaded.state.has_participant(viewer.person);
        loaded.filter(visible).ok_or(Error::NotFound("conversation"))
    }

    /// A message's row, for whoever may see it; waited for while it may be on its way into the read model.
    ///
    /// # Errors
    /// Not found; the database.
    pub(crate) async fn message(&self, viewer: &Principal, message: MessageId) -> Result<MessageRow> {
        let model = &self.0.read_model;
        let row = awaited(|| model.message(&viewer.tenant, viewer.person, message)).await?;
        row.ok_or(Error::NotFound("message"))
    }
}

fn stream(watch: Watch) -> Updates {
    let updates = futures::stream::unfold(Box::new(watch), async |mut watch| {
        let next = watch.next().await.transpose()?;
        Some((next, watch))
    });
    Box::pin(counted(updates))
}

/// Counts the subscriptions that are open.
fn counted<S: Stream>(updates: S) -> impl Stream<Item = S::Item> {
    struct Open;
    impl Drop for Open {
        fn drop(&mut self) {
            metrics::gauge!("loquent_live_subscriptions").decrement(1.0);
        }
    }
    metrics::gauge!("loquent_live_subscriptions").increment(1.0);
    let open = Open;
    futures::StreamExt::inspect(updates, move |_| {
        let _ = &open;
    })
}
