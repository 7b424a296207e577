//! A conversation's events to its rows: pure, the same for the live projector and for a rebuild.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::DateTime;
use events::event::{
    AgentStarted, ConversationStarted, MessageCompleted, MessageFailed, MessageSent, TurnPlanned, TurnStarted,
};
use events::{
    Actor, ConversationEvent, ConversationId, Decoded, MessageId, PersonId, Record, RunId, Sealed, Sequence, TurnId,
    Usage,
};
use uuid::Uuid;

use crate::rows::{Author, ConversationRow, MessageRow, MessageStatus, Role, RunRow, RunStatus, TurnRow};
use crate::{Error, Result};

/// An event on its way into rows.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every entry is an event; a box would cost each an allocation")]
pub(crate) enum Entry {
    /// As it was appended; its data may be of a type that this build does not know.
    Event(Arc<Record>, Decoded),
    /// One whose record or data cannot be read, in the store either: its place is passed over.
    Unreadable(ConversationId, Sequence),
}

impl Entry {
    pub(crate) fn of(record: Arc<Record>) -> Self {
        match record.event() {
            Ok(event) => Self::Event(record, event),
            Err(_) => Self::Unreadable(record.subject, record.sequence),
        }
    }

    pub(crate) fn conversation(&self) -> ConversationId {
        match self {
            Self::Event(record, _) => record.subject,
            Self::Unreadable(conversation, _) => *conversation,
        }
    }

    pub(crate) fn sequence(&self) -> Sequence {
        match self {
            Self::Event(record, _) => record.sequence,
            Self::Unreadable(_, sequence) => *sequence,
        }
    }
}

/// The rows of one conversation, as far as they were loaded or made, and which of them changed.
#[derive(Debug)]
pub(crate) struct RowSet {
    id: ConversationId,
    /// The last event that the rows held when they were loaded.
    loaded: Sequence,
    /// `None` before the first event. Its `participants` stay empty here.
    pub(crate) conversation: Option<ConversationRow>,
    /// Who came (with the sequence of the event) or went, since loading.
    pub(crate) participants: BTreeMap<PersonId, Option<Sequence>>,
    pub(crate) messages: Table<MessageId, MessageRow>,
    pub(crate) turns: Table<TurnId, TurnRow>,
    pub(crate) runs: Table<RunId, RunRow>,
}

/// Rows by id. A row counts as changed as soon as it is touched.
#[derive(Debug)]
pub(crate) struct Table<K, R> {
    rows: BTreeMap<K, R>,
    changed: BTreeSet<K>,
}

impl<K: Copy + Ord, R> Table<K, R> {
    fn new() -> Self {
        Self { rows: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// A row as the database has it.
    pub(crate) fn load(&mut self, key: K, row: R) {
        self.rows.insert(key, row);
    }

    pub(crate) fn changed(&self) -> impl Iterator<Item = &R> {
        self.changed.iter().filter_map(|key| self.rows.get(key))
    }

    fn put(&mut self, key: K, row: R) {
        self.rows.insert(key, row);
        self.changed.insert(key);
    }

    /// A row that is not there is left out: its own event could not be read, and what followed it has nowhere to go.
    fn change(&mut self, key: K, change: impl FnOnce(&mut R)) {
        if let Some(row) = self.rows.get_mut(&key) {
            change(row);
            self.changed.insert(key);
        }
    }
}

/// The rows that an event changes and that it does not make itself.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) messages: BTreeSet<MessageId>,
    pub(crate) turns: BTreeSet<TurnId>,
    pub(crate) runs: BTreeSet<RunId>,
}

impl Touched {
    pub(crate) fn add(&mut self, entry: &Entry) {
        use ConversationEvent as E;
        let Entry::Event(_, Decoded::Known(event)) = entry else { return };
        match event {
            E::AgentStarted(event) => {
                self.runs.insert(event.run);
                self.messages.insert(event.message);
            }
            E::AgentCompleted(event) => drop(self.runs.insert(event.run)),
            E::AgentFailed(event) => drop(self.runs.insert(event.run)),
            E::MessageCompleted(event) => drop(self.messages.insert(event.message)),
            E::MessageFailed(event) => drop(self.messages.insert(event.message)),
            E::TurnCompleted(event) => drop(self.turns.insert(event.turn)),
            E::TurnFailed(event) => drop(self.turns.insert(event.turn)),
            E::ConversationStarted(_)
            | E::ConversationRenamed(_)
            | E::ConversationArchived(_)
            | E::ParticipantAdded(_)
            | E::ParticipantRemoved(_)
            | E::MessageSent(_)
            | E::TurnStarted(_)
            | E::TurnPlanned(_) => {}
        }
    }
}

impl RowSet {
    /// Before the first event.
    pub(crate) fn new(id: ConversationId) -> Self {
        Self::at(id, None)
    }

    /// With the conversation's row as the database has it; other rows are [loaded](Table::load) as they are needed.
    pub(crate) fn at(id: ConversationId, conversation: Option<ConversationRow>) -> Self {
        Self {
            id,
            loaded: conversation.as_ref().map_or(0, |row| row.sequence),
            conversation,
            participants: BTreeMap::new(),
            messages: Table::new(),
            turns: Table::new(),
            runs: Table::new(),
        }
    }

    /// The last event that the rows hold.
    pub(crate) fn sequence(&self) -> Sequence {
        self.conversation.as_ref().map_or(0, |row| row.sequence)
    }

    /// Whether there is anything to write.
    pub(crate) fn is_changed(&self) -> bool {
        self.sequence() != self.loaded
    }

    /// Folds the next event in; `false`: the rows hold it already. One that cannot be read, or of a type that this build does not
    /// know, only counts.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<bool> {
        let (stands, found) = (self.sequence(), entry.sequence());
        if found <= stands {
            return Ok(false);
        }
        if found != stands + 1 {
            return Err(Error::Gap { conversation: self.id, stands, found });
        }
        let id = self.id;
        let conversation = self.conversation.get_or_insert_with(|| beginning(id, entry));
        conversation.sequence = found;
        if let Entry::Event(record, event) = entry {
            conversation.updated_at = record.time;
            if let Decoded::Known(event) = event {
                self.evolve(record, event);
            }
        }
        Ok(true)
    }

    fn evolve(&mut self, record: &Record, event: &ConversationEvent) {
        use ConversationEvent as E;
        let time = record.time;
        match event {
            E::ConversationStarted(event) => self.started(record, event),
            E::ConversationRenamed(event) => self.change(|row| row.title = Some(event.title.clone())),
            E::ConversationArchived(_) => self.change(|row| row.archived_at = Some(time)),
            E::ParticipantAdded(event) => drop(self.participants.insert(event.person, Some(record.sequence))),
            E::ParticipantRemoved(event) => drop(self.participants.insert(event.person, None)),
            E::MessageSent(event) => self.messages.put(event.message, sent(record, event)),
            E::MessageCompleted(event) => self.messages.change(event.message, |row| completed(row, record, event)),
            E::MessageFailed(event) => self.messages.change(event.message, |row| failed(row, record, event)),
            E::TurnStarted(event) => self.turns.put(event.turn, turn(record, event)),
            E::TurnPlanned(event) => self.planned(record, event),
            E::TurnCompleted(event) => self.end_turn(event.turn, record, RunStatus::Completed, None),
            E::TurnFailed(event) => self.end_turn(event.turn, record, RunStatus::Failed, Some(&event.reason)),
            E::AgentStarted(event) => self.claimed(record, event),
            E::AgentCompleted(event) => self.end_run(event.run, record, RunStatus::Completed, None, event.usage),
            E::AgentFailed(event) => {
                self.end_run(event.run, record, RunStatus::Failed, Some(&event.error), event.usage);
            }
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut ConversationRow)) {
        if let Some(row) = &mut self.conversation {
            change(row);
        }
    }

    fn started(&mut self, record: &Record, event: &ConversationStarted) {
        self.change(|row| {
            row.starter = event.starter;
            row.title.clone_from(&event.title);
            row.metadata.clone_from(&event.metadata);
            row.agents.clone_from(&event.agents);
        });
        self.participants.insert(event.starter, Some(record.sequence));
    }

    /// Runs and the messages that they will write are there from now on, so that nobody has to guess what is to come.
    fn planned(&mut self, record: &Record, event: &TurnPlanned) {
        for (position, planned) in (0..).zip(&event.runs) {
            let run = RunRow {
                id: planned.run,
                conversation: record.subject,
                turn: event.turn,
                position,
                message: planned.message,
                agent: planned.agent.clone(),
                model: planned.model.clone(),
                epoch: 0,
                status: RunStatus::Running,
                error: None,
                usage: None,
                started_at: record.time,
                ended_at: None,
            };
            let message = MessageRow {
                position,
                role: Role::Assistant,
                author: Author::Agent(planned.agent.clone()),
                status: MessageStatus::Streaming,
                run: Some(planned.run),
                ..message(planned.message, record)
            };
            self.runs.put(run.id, run);
            self.messages.put(message.id, message);
        }
    }

    fn claimed(&mut self, record: &Record, event: &AgentStarted) {
        self.runs.change(event.run, |row| {
            row.epoch = event.epoch;
            row.model = Some(event.model.clone());
            row.started_at = record.time;
        });
        self.messages.change(event.message, |row| {
            row.epoch = event.epoch;
            row.started = record.sequence;
        });
    }

    fn end_run(
        &mut self,
        run: RunId,
        record: &Record,
        status: RunStatus,
        error: Option<&Sealed>,
        usage: Option<Usage>,
    ) {
        self.runs.change(run, |row| {
            row.status = status;
            row.error = error.cloned();
            row.usage = usage;
            row.ended_at = Some(record.time);
        });
    }

    fn end_turn(&mut self, turn: TurnId, record: &Record, status: RunStatus, reason: Option<&Sealed>) {
        self.turns.change(turn, |row| {
            row.status = status;
            row.reason = reason.cloned();
            row.ended_at = Some(record.time);
        });
    }
}

/// What is known of a conversation without the data of its first event, which may be unreadable.
fn beginning(id: ConversationId, entry: &Entry) -> ConversationRow {
    let (tenant, actor, time) = match entry {
        Entry::Event(record, _) => (record.tenant.clone(), &record.actor, record.time),
        Entry::Unreadable(..) => (String::new(), &Actor::System, DateTime::UNIX_EPOCH),
    };
    let starter = match actor {
        Actor::Person(person) => *person,
        Actor::Agent(_) | Actor::System => PersonId::from_uuid(Uuid::nil()),
    };
    ConversationRow {
        id,
        tenant,
        title: None,
        metadata: None,
        starter,
        participants: Vec::new(),
        agents: Vec::new(),
        created_at: time,
        updated_at: time,
        archived_at: None,
        sequence: 0,
    }
}

/// A message of which nothing is known but where and when it came.
fn message(id: MessageId, record: &Record) -> MessageRow {
    MessageRow {
        id,
        conversation: record.subject,
        sequence: record.sequence,
        position: 0,
        role: Role::User,
        author: Author::Person(PersonId::from_uuid(Uuid::nil())),
        text: None,
        status: MessageStatus::Completed,
        message_type: None,
        metadata: None,
        run: None,
        epoch: 0,
        started: 0,
        created_at: record.time,
        completed_at: None,
        finish_reason: None,
        reason: None,
        usage: None,
    }
}

fn sent(record: &Record, event: &MessageSent) -> MessageRow {
    MessageRow {
        author: Author::Person(event.author),
        text: Some(event.text.clone()),
        message_type: event.message_type.clone(),
        metadata: event.metadata.clone(),
        completed_at: Some(record.time),
        ..message(event.message, record)
    }
}

fn completed(row: &mut MessageRow, record: &Record, event: &MessageCompleted) {
    row.status = MessageStatus::Completed;
    row.text = Some(event.text.clone());
    row.epoch = event.epoch;
    row.started = event.started;
    row.completed_at = Some(record.time);
    row.finish_reason = Some(event.finish_reason);
    row.usage = event.usage;
}

fn failed(row: &mut MessageRow, record: &Record, event: &MessageFailed) {
    row.status = MessageStatus::Failed;
    row.text = Some(event.text.clone());
    row.epoch = event.epoch;
    row.started = event.started;
    row.completed_at = Some(record.time);
    row.reason = Some(event.reason.clone());
    row.usage = event.usage;
}

fn turn(record: &Record, event: &TurnStarted) -> TurnRow {
    TurnRow {
        id: event.turn,
        conversation: record.subject,
        sequence: record.sequence,
        message: event.message,
        person: event.person,
        status: RunStatus::Running,
        reason: None,
        started_at: record.time,
        ended_at: None,
    }
}

#[cfg(test)]
mod tests;
