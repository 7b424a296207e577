//! Events and chunks on their way to subscribers: shared by all of them, decoded and opened once.

use std::sync::Arc;

use event_log::Chunk;
use events::event::Said;
use events::{CallId, ConversationEvent, Decoded, MessageId, Record, RunId, Sealed, Sequence};
use tokio::sync::OnceCell;

use super::cut::Cut;

/// An event and what was found out about it.
pub(super) struct LiveEvent {
    pub(super) record: Arc<Record>,
    /// `None`: of a type that this build does not know, or not readable. It counts, and is not shown.
    pub(super) event: Option<ConversationEvent>,
    /// Its texts, opened for the first subscriber that it reaches.
    pub(super) texts: OnceCell<Texts>,
}

/// The opened texts of an event. `None`: the key is destroyed, or there is no such text.
#[derive(Default)]
pub(super) struct Texts {
    /// The text or the title; of a tool call its arguments, its result or its error.
    pub(super) text: Option<Arc<str>>,
    /// Why a message or a turn failed, a turn was planned so, or a tool call was rejected.
    pub(super) reason: Option<Arc<str>>,
    /// The chunks of a message that ended here.
    pub(super) cut: Arc<Cut>,
}

impl Texts {
    /// The text; empty where it was erased.
    pub(super) fn text(&self) -> Arc<str> {
        self.text.clone().unwrap_or_default()
    }

    /// The reason; empty where it was erased.
    pub(super) fn reason(&self) -> Arc<str> {
        self.reason.clone().unwrap_or_default()
    }
}

/// A chunk from the log and its text.
pub(super) struct LiveChunk {
    pub(super) chunk: Arc<Chunk>,
    /// Its delta, opened for the first subscriber that it reaches; `None` inside: the key is destroyed.
    pub(super) text: OnceCell<Option<Arc<str>>>,
}

/// What comes by.
#[derive(Clone)]
pub(super) enum Live {
    Event(Arc<LiveEvent>),
    Chunk(Arc<LiveChunk>),
}

/// The end of a message, whichever it was.
pub(super) struct End<'e> {
    pub(super) message: MessageId,
    pub(super) started: Sequence,
    pub(super) text: &'e Sealed,
    pub(super) reasoning: Option<&'e Sealed>,
    pub(super) calls: Option<&'e Sealed>,
    pub(super) chunks: &'e Sealed,
}

impl LiveEvent {
    pub(super) fn new(record: Arc<Record>) -> Arc<Self> {
        let event = match record.event() {
            Ok(Decoded::Known(event)) => Some(event),
            Ok(Decoded::Unknown) => None,
            Err(error) => {
                tracing::error!(%error, conversation = %record.subject, sequence = record.sequence, "an event is not readable");
                None
            }
        };
        Arc::new(Self { record, event, texts: OnceCell::new() })
    }

    pub(super) fn sequence(&self) -> Sequence {
        self.record.sequence
    }

    /// The message that this is about.
    pub(super) fn message(&self) -> Option<MessageId> {
        match self.event.as_ref()? {
            ConversationEvent::MessageSent(sent) => Some(sent.message),
            ConversationEvent::AgentStarted(started) => Some(started.message),
            _ => self.end().map(|end| end.message),
        }
    }

    /// Whether the message that this is about is whole now, broken off for good, or stopped.
    pub(super) fn is_the_last_of_its_message(&self) -> bool {
        matches!(self.event, Some(ConversationEvent::MessageSent(_))) || self.end().is_some()
    }

    /// Whether all chunks of this message come before this that its run has produced so far.
    pub(super) fn closes(&self, message: MessageId, run: RunId) -> bool {
        self.end().is_some_and(|end| end.message == message) || self.said().is_some_and(|(of, ..)| of == run)
    }

    /// What a model call that ends here has said, and whose it is, where its run goes on with tools.
    pub(super) fn said(&self) -> Option<(RunId, CallId, &Said)> {
        match self.event.as_ref()? {
            ConversationEvent::ModelCallEnded(ended) => Some((ended.run, ended.call, ended.said.as_ref()?)),
            _ => None,
        }
    }

    /// The message that ends here.
    pub(super) fn end(&self) -> Option<End<'_>> {
        /// The three ends have these fields in common.
        macro_rules! end {
            ($end:ident) => {
                End {
                    message: $end.message,
                    started: $end.started,
                    text: &$end.text,
                    reasoning: $end.reasoning.as_ref(),
                    calls: $end.calls.as_ref(),
                    chunks: &$end.chunks,
                }
            };
        }
        match self.event.as_ref()? {
            ConversationEvent::MessageCompleted(completed) => Some(end!(completed)),
            ConversationEvent::MessageFailed(failed) => Some(end!(failed)),
            ConversationEvent::MessageStopped(stopped) => Some(end!(stopped)),
            _ => None,
        }
    }
}

impl LiveChunk {
    pub(super) fn new(chunk: Arc<Chunk>) -> Arc<Self> {
        Arc::new(Self { chunk, text: OnceCell::new() })
    }
}
