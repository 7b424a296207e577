//! Sealed values opened and persons named: from what the merge delivers to what a client is shown.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use events::event::Said;
use events::{Actor, CallId, ChunkTable, ConversationEvent, Field, PersonId, Record, Sealed, Sequence};
use keyring::Keyring;

use super::change::{Change, MessageChange, ToolCallChange};
use super::cut::{Cut, Sources};
use super::item::{LiveChunk, LiveEvent, Texts};
use super::merge::{Delta, Piece};
use crate::Result;

/// What is shown for a person who was erased.
const ERASED: &str = "erased";
/// Who did what nobody did.
const SYSTEM: &str = "system";

/// Opens one record's values.
struct Opener<'a> {
    keyring: &'a Keyring,
    record: &'a Record,
}

impl Opener<'_> {
    async fn open(
        &self,
        sealed: &Sealed,
        owner: impl std::fmt::Display,
        name: &'static str,
    ) -> Result<Option<Arc<str>>> {
        let field = Field::new(&self.record.tenant, self.record.subject, owner, name);
        Ok(self.keyring.open(sealed, &field).await?.map(Arc::from))
    }

    async fn open_any(
        &self,
        sealed: Option<&Sealed>,
        owner: impl std::fmt::Display,
        name: &'static str,
    ) -> Result<Option<Arc<str>>> {
        match sealed {
            Some(sealed) => self.open(sealed, owner, name).await,
            None => Ok(None),
        }
    }

    /// The texts of an ended message, with the cut that gives its chunks.
    async fn end(&self, event: &LiveEvent) -> Result<Texts> {
        let Some(end) = event.end() else { return Ok(Texts::default()) };
        let text = self.open(end.text, end.message, "text").await?;
        let reasoning = self.open_any(end.reasoning, end.message, "reasoning").await?.unwrap_or_default();
        let calls = self.open_any(end.calls, end.message, "calls").await?.unwrap_or_default();
        let table = self.open(end.chunks, end.message, "chunks").await?;
        let cut = match (&text, table) {
            (Some(text), Some(table)) => {
                let texts = Sources { text: text.clone(), reasoning, calls };
                self.cut(Cut::new, end.started, &table, texts).unwrap_or_default()
            }
            _ => Cut::default(),
        };
        let reason = match &event.event {
            Some(ConversationEvent::MessageFailed(failed)) => self.open(&failed.reason, end.message, "reason").await?,
            _ => None,
        };
        Ok(Texts { text, reason, cut: Arc::new(cut) })
    }

    fn cut(
        &self,
        cut: fn(ChunkTable, Sources<Arc<str>>) -> Option<Cut>,
        started: Sequence,
        table: &str,
        texts: Sources<Arc<str>>,
    ) -> Option<Cut> {
        let table = ChunkTable::unpack(table, started).ok();
        let cut = table.and_then(|table| cut(table, texts));
        if cut.is_none() {
            let Record { subject, sequence, .. } = self.record;
            tracing::error!(conversation = %subject, sequence, "a message's chunk table is not that of its text");
        }
        cut
    }

    /// What a model call has said; `None`: it was erased.
    async fn said(&self, call: CallId, said: &Said) -> Result<Option<Sources<Arc<str>>>> {
        let Some(text) = self.open(&said.text, call, "text").await? else { return Ok(None) };
        let reasoning = self.open_any(said.reasoning.as_ref(), call, "reasoning").await?.unwrap_or_default();
        let calls = self.open_any(said.calls.as_ref(), call, "calls").await?.unwrap_or_default();
        Ok(Some(Sources { text, reasoning, calls }))
    }

    async fn texts(&self, event: &LiveEvent) -> Result<Texts> {
        use ConversationEvent as E;
        let conversation = self.record.subject;
        let mut texts = Texts::default();
        match &event.event {
            Some(E::ConversationStarted(started)) => {
                texts.text = self.open_any(started.title.as_ref(), conversation, "title").await?;
            }
            Some(E::ConversationRenamed(renamed)) => {
                texts.text = self.open(&renamed.title, conversation, "title").await?;
            }
            Some(E::MessageSent(sent)) => texts.text = self.open(&sent.text, sent.message, "text").await?,
            Some(E::TurnFailed(failed)) => texts.reason = self.open(&failed.reason, failed.turn, "reason").await?,
            Some(E::TurnPlanned(planned)) => texts.reason = self.open(&planned.reason, planned.turn, "reason").await?,
            Some(E::MessageCompleted(_) | E::MessageFailed(_) | E::MessageStopped(_)) => {
                texts = self.end(event).await?
            }
            Some(E::ToolCallRequested(wanted)) => {
                texts.text = self.open(&wanted.arguments, wanted.call, "arguments").await?;
            }
            Some(E::ToolCallApproved(approved)) => {
                texts.text = self.open_any(approved.edited.as_ref(), approved.call, "edited").await?;
            }
            Some(E::ToolCallRejected(rejected)) => {
                texts.reason = self.open_any(rejected.reason.as_ref(), rejected.call, "reason").await?;
            }
            Some(E::ToolCallCompleted(done)) => texts.text = self.open(&done.result, done.call, "result").await?,
            Some(E::ToolCallFailed(failed)) => texts.text = self.open(&failed.error, failed.call, "error").await?,
            _ => {}
        }
        Ok(texts)
    }
}

/// The texts of an event; opened once for all who see it.
pub(super) async fn texts<'e>(keyring: &Keyring, event: &'e LiveEvent) -> Result<&'e Texts> {
    let opener = Opener { keyring, record: &event.record };
    event.texts.get_or_try_init(|| opener.texts(event)).await
}

/// The chunks that one model call has said, after which its run goes on with tools; none where it was erased. Its message's epoch
/// began at `started`.
pub(super) async fn said_by(keyring: &Keyring, event: &LiveEvent, started: Sequence) -> Result<Cut> {
    let Some((_, call, said)) = event.said() else { return Ok(Cut::default()) };
    let opener = Opener { keyring, record: &event.record };
    let (texts, table) = (opener.said(call, said).await?, opener.open(&said.chunks, call, "chunks").await?);
    Ok(match (texts, table) {
        (Some(texts), Some(table)) => opener.cut(Cut::last_of, started, &table, texts).unwrap_or_default(),
        _ => Cut::default(),
    })
}

/// The chunks of a message in flight up to the last of its run's ended model calls: these are all that went on with tools, in order.
/// `None`: there is none since `started`, where its epoch began, or it was erased.
pub(super) async fn said(keyring: &Keyring, calls: &[Arc<LiveEvent>], started: Sequence) -> Result<Option<Cut>> {
    let Some(last) = calls.last().filter(|last| last.sequence() > started) else { return Ok(None) };
    let mut parts = Vec::new();
    let mut table = None;
    for event in calls {
        let Some((_, call, said)) = event.said() else { continue };
        let opener = Opener { keyring, record: &event.record };
        let Some(part) = opener.said(call, said).await? else { return Ok(None) };
        parts.push(part);
        if event.sequence() == last.sequence() {
            table = opener.open(&said.chunks, call, "chunks").await?;
        }
    }
    let opener = Opener { keyring, record: &last.record };
    Ok(table.and_then(|table| opener.cut(Cut::new, started, &table, Sources::joined(&parts))))
}

/// The text of a chunk from the log; opened once for all who see it.
pub(super) async fn delta(keyring: &Keyring, live: &LiveChunk) -> Result<Option<Arc<str>>> {
    let open = async || {
        let data = &live.chunk.data;
        let field = Field::new(&live.chunk.tenant, live.chunk.conversation, data.message, "delta");
        let opened = keyring.open(&data.delta, &field.of_chunk(data.epoch, data.index)).await?;
        crate::Result::Ok(opened.map(Arc::from))
    };
    live.text.get_or_try_init(open).await.cloned()
}

/// What is shown of a chunk; nothing of one that was erased.
pub(super) async fn of_chunk(keyring: &Keyring, piece: Piece) -> Result<Option<(DateTime<Utc>, Change)>> {
    let delta = match piece.delta {
        Delta::Sealed(live) => delta(keyring, &live).await?,
        Delta::Plain(text) => Some(Arc::from(text)),
    };
    let Piece { message, run, epoch, index, kind, at, .. } = piece;
    let produced = |delta| MessageChange::Produced { run, epoch, index, kind, delta };
    Ok(delta.map(|delta| (at, Change::Message(message, produced(delta)))))
}

/// What is shown of an event; nothing of one that is of no interest to clients.
pub(super) async fn of_event(keyring: &Keyring, event: &LiveEvent) -> Result<Option<Change>> {
    use ConversationEvent as E;
    let Some(known) = &event.event else { return Ok(None) };
    let texts = texts(keyring, event).await?;
    Ok(Some(match known {
        E::ConversationStarted(_) => Change::ConversationStarted { title: texts.text.clone() },
        E::ConversationRenamed(_) => Change::ConversationRenamed { title: texts.text() },
        E::ConversationArchived(_) => Change::ConversationArchived,
        E::ParticipantAdded(added) => {
            let (person, by) = named(keyring, added.person, &event.record.actor).await?;
            Change::ParticipantAdded { person, by }
        }
        E::ParticipantRemoved(removed) => {
            let (person, by) = named(keyring, removed.person, &event.record.actor).await?;
            Change::ParticipantRemoved { person, by }
        }
        E::TurnStarted(started) => Change::TurnStarted { turn: started.turn },
        E::TurnPlanned(planned) => {
            let (kind, runs, more) = (planned.kind, planned.runs.clone(), planned.more);
            Change::TurnPlanned { turn: planned.turn, kind, runs, more, reason: texts.reason() }
        }
        E::TurnCompleted(completed) => Change::TurnCompleted { turn: completed.turn },
        E::TurnFailed(failed) => Change::TurnFailed { turn: failed.turn, reason: texts.reason() },
        E::TurnStopped(stopped) => Change::TurnStopped { turn: stopped.turn, by: name(keyring, stopped.by).await? },
        E::AgentStarted(started) => Change::AgentStarted {
            run: started.run,
            agent: started.agent.clone(),
            model: started.model.clone(),
            epoch: started.epoch,
            message: started.message,
        },
        E::AgentsConfigured(_)
        | E::StopRequested(_)
        | E::AgentCompleted(_)
        | E::AgentFailed(_)
        | E::ModelCallStarted(_)
        | E::ModelCallEnded(_) => return Ok(None),
        _ => match of_message(keyring, known, texts).await? {
            Some(change) => change,
            None => return of_tool_call(keyring, known, texts).await,
        },
    }))
}

async fn of_message(keyring: &Keyring, event: &ConversationEvent, texts: &Texts) -> Result<Option<Change>> {
    use ConversationEvent as E;
    let (message, change) = match event {
        E::MessageSent(sent) => {
            let author = name(keyring, sent.author).await?;
            (sent.message, MessageChange::Sent { author, text: texts.text() })
        }
        E::MessageCompleted(end) => {
            let (finish_reason, usage) = (end.finish_reason, end.spent.usage);
            (end.message, MessageChange::Completed { text: texts.text(), finish_reason, usage })
        }
        E::MessageFailed(end) => (end.message, MessageChange::Failed { text: texts.text(), reason: texts.reason() }),
        E::MessageStopped(end) => (end.message, MessageChange::Stopped { text: texts.text(), usage: end.spent.usage }),
        _ => return Ok(None),
    };
    Ok(Some(Change::Message(message, change)))
}

async fn of_tool_call(keyring: &Keyring, event: &ConversationEvent, texts: &Texts) -> Result<Option<Change>> {
    use ConversationEvent as E;
    let (call, change) = match event {
        E::ToolCallRequested(wanted) => {
            let (run, tool, needs_approval) = (wanted.run, wanted.tool.clone(), wanted.needs_approval);
            (wanted.call, ToolCallChange::Requested { run, tool, arguments: texts.text(), needs_approval })
        }
        E::ToolCallApproved(approved) => {
            let by = name(keyring, approved.by).await?;
            (approved.call, ToolCallChange::Approved { by, edited: approved.edited.as_ref().map(|_| texts.text()) })
        }
        E::ToolCallRejected(rejected) => {
            let by = match rejected.by {
                Some(person) => name(keyring, person).await?,
                None => SYSTEM.into(),
            };
            (rejected.call, ToolCallChange::Rejected { by, reason: texts.reason.clone() })
        }
        E::ToolCallStarted(started) => (started.call, ToolCallChange::Started { epoch: started.epoch }),
        E::ToolCallCompleted(done) => (done.call, ToolCallChange::Completed { result: texts.text() }),
        E::ToolCallFailed(failed) => (failed.call, ToolCallChange::Failed { error: texts.text() }),
        E::ToolCallUncertain(uncertain) => (uncertain.call, ToolCallChange::Uncertain),
        _ => return Ok(None),
    };
    Ok(Some(Change::ToolCall(call, change)))
}

async fn name(keyring: &Keyring, person: PersonId) -> Result<String> {
    let mut names = keyring.subjects(&[person]).await?;
    Ok(names.remove(&person).unwrap_or_else(|| ERASED.into()))
}

async fn named(keyring: &Keyring, person: PersonId, actor: &Actor) -> Result<(String, String)> {
    let by = match actor {
        Actor::Person(person) => name(keyring, *person).await?,
        Actor::Agent(agent) => agent.clone(),
        Actor::System => SYSTEM.into(),
    };
    Ok((name(keyring, person).await?, by))
}
