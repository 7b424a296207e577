//! A conversation's events to its rows: pure, the same for the live projector and for a rebuild.

mod messages;
mod table;
mod touched;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use events::event::{
    AgentsConfigured, Approval, ConversationStarted, MessageSent, OverlapPolicy, Spent, ToolCallApproved,
    ToolCallCompleted, ToolCallFailed, ToolCallRejected, ToolCallStarted, ToolCallUncertain,
};
use events::{
    Actor, CallId, ConversationEvent, ConversationId, Decoded, MessageId, PersonId, Record, RunId, Sequence, TurnId,
};
use uuid::Uuid;

pub(crate) use table::Table;
pub(crate) use touched::Touched;

use crate::rows::{ConversationRow, MessageRow, RunRow, RunStatus, ToolCallRow, TurnRow};
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
    pub(crate) tool_calls: Table<CallId, ToolCallRow>,
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
            tool_calls: Table::new(),
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

    fn evolve(&mut self, record: &Record, known: &ConversationEvent) {
        use ConversationEvent as E;
        let time = record.time;
        match known {
            E::ConversationStarted(event) => self.started(record, event),
            E::ConversationRenamed(event) => self.change(|row| row.title = Some(event.title.clone())),
            E::ConversationArchived(_) => self.change(|row| row.archived_at = Some(time)),
            E::ParticipantAdded(event) => drop(self.participants.insert(event.person, Some(record.sequence))),
            E::ParticipantRemoved(event) => drop(self.participants.insert(event.person, None)),
            E::AgentsConfigured(event) => self.configured(event),
            E::MessageSent(event) => self.sent(record, event),
            E::MessageCompleted(event) => {
                self.messages.change(event.message, |row| messages::completed(row, record, event));
            }
            E::MessageFailed(event) => self.messages.change(event.message, |row| messages::failed(row, record, event)),
            E::MessageStopped(event) => {
                self.messages.change(event.message, |row| messages::stopped(row, record, event));
                self.end_run(event.run, record, RunStatus::Stopped, None);
            }
            E::TurnStarted(event) => self.turn_started(record, event),
            E::TurnPlanned(event) => self.planned(record, event),
            E::TurnCompleted(event) => self.end_turn(event.turn, record, RunStatus::Completed, None),
            E::TurnFailed(event) => self.end_turn(event.turn, record, RunStatus::Failed, Some(&event.reason)),
            E::TurnStopped(event) => self.turn_stopped(record, event),
            E::AgentStarted(event) => self.claimed(record, event),
            E::AgentCompleted(event) => self.end_run(event.run, record, RunStatus::Completed, None),
            E::AgentFailed(event) => self.end_run(event.run, record, RunStatus::Failed, Some(&event.error)),
            E::ModelCallEnded(event) => self.call_ended(event),
            E::ToolCallRequested(event) => self.tool_requested(record, event),
            E::ToolCallApproved(ToolCallApproved { call, .. })
            | E::ToolCallRejected(ToolCallRejected { call, .. })
            | E::ToolCallStarted(ToolCallStarted { call, .. })
            | E::ToolCallCompleted(ToolCallCompleted { call, .. })
            | E::ToolCallFailed(ToolCallFailed { call, .. })
            | E::ToolCallUncertain(ToolCallUncertain { call, .. }) => self.tool_changed(*call, record, known),
            // A fallback is another model than the one that the run began with.
            E::ModelCallStarted(event) => self.runs.change(event.run, |row| row.model = Some(event.model.clone())),
            E::StopRequested(_) => {}
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

    fn configured(&mut self, event: &AgentsConfigured) {
        self.change(|row| {
            row.agents.clone_from(&event.agents);
            row.overlap = event.overlap;
            row.approval = event.approval;
        });
    }

    /// Its turn is there at once, unless a running one is to read it: then only if that one does not.
    fn sent(&mut self, record: &Record, event: &MessageSent) {
        self.messages.put(event.message, MessageRow::sent(record, event));
        if let (Some(turn), None) = (event.turn, event.steers) {
            self.turns.put(turn, TurnRow::queued(record, turn, event));
        }
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
        overlap: OverlapPolicy::default(),
        approval: Approval::default(),
        created_at: time,
        updated_at: time,
        archived_at: None,
        sequence: 0,
        spent: Spent::default(),
    }
}

#[cfg(test)]
mod tests;
