//! The subscription root.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, ID, Subscription as Root};
use futures::{Stream, StreamExt};

use super::scalars::Cursor;
use super::updates::ConversationUpdate;
use super::{Answer, caller, services};
use crate::error::Refusal;
use crate::live::Updates;
use crate::{Error, Result};

/// What a transport says of a subscription besides the request, and what it wants to know: part of the request's data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resume {
    /// `Last-Event-ID`: the client comes back, and this counts instead of its `after`.
    last_event_id: Option<String>,
    /// The cursor of the update that was delivered last, whether the client asked for it or not.
    cursor: Arc<Mutex<Option<events::Cursor>>>,
}

impl Resume {
    /// A client that has seen this event last.
    pub(crate) fn after(last_event_id: Option<String>) -> Self {
        Self { last_event_id, cursor: Arc::default() }
    }

    /// The cursor of the update that was delivered last.
    pub(crate) fn cursor(&self) -> Option<events::Cursor> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The cursor to begin at.
    fn start(&self, after: Option<Cursor>) -> Result<Option<events::Cursor>> {
        let Some(last) = &self.last_event_id else { return Ok(after.map(|Cursor(cursor)| cursor)) };
        let last = last.parse().map_err(|_| Error::Invalid("Last-Event-ID is not a valid cursor".into()))?;
        Ok(Some(last))
    }

    fn shown(self, updates: Updates) -> impl Stream<Item = Answer<ConversationUpdate>> {
        updates.map(move |update| {
            let update = update?;
            *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = Some(update.cursor.clone());
            Ok(update.into())
        })
    }
}

/// The subscription root.
#[derive(Default)]
pub(crate) struct Subscription;

fn resume(context: &Context<'_>) -> Resume {
    context.data_opt::<Resume>().cloned().unwrap_or_default()
}

fn malformed(name: &str, error: events::ids::IdError) -> Error {
    Error::Invalid(format!("{name} is {error}"))
}

#[Root]
impl Subscription {
    /// Everything that happens in a conversation after `after`, then live. Without `after`: from now, preceded by the chunks
    /// of messages still in flight, each after its AgentStarted. What follows a cursor is the same whenever it is asked for.
    async fn conversation_updates(
        &self,
        context: &Context<'_>,
        conversation_id: ID,
        after: Option<Cursor>,
        #[graphql(default_with = "Some(true)")] chunks: Option<bool>,
    ) -> Result<impl Stream<Item = Answer<ConversationUpdate>>, Refusal> {
        let (services, caller, resume) = (services(context)?, caller(context)?, resume(context));
        let conversation = conversation_id.parse().map_err(|error| malformed("conversationId", error))?;
        let after = resume.start(after)?;
        // Boxed: what the beginning needs is given back, instead of lying in the subscription for as long as it lives.
        let updates = Box::pin(services.live.updates(caller, conversation, after, chunks.unwrap_or(true))).await?;
        Ok(resume.shown(updates))
    }

    /// One message until it ends; the subscription then completes. Without `after`: from the message's beginning. A person's
    /// message gives its MessageSent and completes.
    async fn message_updates(
        &self,
        context: &Context<'_>,
        message_id: ID,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Answer<ConversationUpdate>>, Refusal> {
        let (services, caller, resume) = (services(context)?, caller(context)?, resume(context));
        let message = message_id.parse().map_err(|error| malformed("messageId", error))?;
        let after = resume.start(after)?;
        let updates = Box::pin(services.live.message_updates(caller, message, after)).await?;
        Ok(resume.shown(updates))
    }
}
