//! Decided events become records and go to the store.

use std::sync::Arc;

use event_store::{Idempotency, NewEvent};
use events::record::Envelope;
use events::{Actor, ConversationEvent, ConversationId, PersonId, Record};

use crate::conversation::Conversation;
use crate::dispatch::Cause;
use crate::load::{Loaded, Loader};
use crate::rules::Command;
use crate::{Outcome, Result, stamp};

/// Who or what a command comes from.
pub(crate) enum Origin {
    /// A person: their command begins a chain of causes.
    Person(PersonId),
    /// An event that an agent worker reacts to.
    Event(Cause),
}

/// A command on its way, with what its records say besides its events.
pub(crate) struct Order {
    pub(crate) conversation: ConversationId,
    /// Of a conversation that begins; an existing one has its own.
    pub(crate) tenant: String,
    pub(crate) command: Command,
    pub(crate) origin: Origin,
    pub(crate) traceparent: Option<String>,
    pub(crate) mark: Option<Idempotency>,
}

impl Order {
    /// The conversation that it begins, before that.
    pub(crate) fn blank(&self) -> Arc<Loaded> {
        Arc::new(Loaded::blank(self.conversation, &self.tenant))
    }

    fn actor(&self, state: &Conversation) -> Actor {
        let agent = |run: Option<&crate::Run>| run.map_or(Actor::System, |run| Actor::Agent(run.agent.clone()));
        let of_run = |run| agent(state.run(run).map(|(_, run)| run));
        let of_tool = |call| agent(state.tool(call).map(|(_, run, _)| run));
        match (&self.origin, &self.command) {
            (Origin::Person(person), _) => Actor::Person(*person),
            (_, Command::ClaimRun(command)) => of_run(command.run),
            (_, Command::BeginCall(command)) => of_run(command.run),
            (_, Command::RequestTools(command)) => of_run(command.run),
            (_, Command::EndRun(command)) => of_run(command.run),
            (_, Command::AskAgent(command)) => of_tool(command.call),
            (_, Command::StartTool(command)) => of_tool(command.call),
            (_, Command::EndTool(command)) => of_tool(command.call),
            _ => Actor::System,
        }
    }

    /// The records of these events, and the conversation after them.
    fn records(&self, base: &Loaded, events: Vec<ConversationEvent>) -> (Vec<Record>, Loaded) {
        let time = stamp::now();
        let actor = self.actor(&base.state);
        let mut correlation = None;
        let mut after = base.clone();
        let mut records = Vec::with_capacity(events.len());
        for event in events {
            let id = stamp::event();
            let (correlationid, causationid) = match &self.origin {
                Origin::Person(_) => (*correlation.get_or_insert(id), None),
                Origin::Event(cause) => (cause.correlation, Some(cause.event)),
            };
            let envelope = Envelope {
                id,
                subject: base.id,
                time,
                sequence: after.sequence + 1,
                tenant: base.tenant.clone(),
                actor: actor.clone(),
                correlationid,
                causationid,
                prevhash: after.hash.clone(),
            };
            let record = Record::new(envelope, &event);
            after.advance(&record, event.into());
            records.push(record);
        }
        (records, after)
    }

    /// Appends the events just after `base`: all of them, or none.
    pub(crate) async fn append(
        &self,
        loader: &Loader,
        base: &Loaded,
        events: Vec<ConversationEvent>,
    ) -> Result<Outcome> {
        let (records, after) = self.records(base, events);
        let last = records.len().saturating_sub(1);
        let new = records.iter().enumerate().map(|(index, record)| NewEvent {
            record: record.clone(),
            traceparent: self.traceparent.clone(),
            idempotency: self.mark.clone().filter(|_| index == last),
        });
        loader.store().append(new.collect()).await?;
        let loaded = Arc::new(after);
        loader.remember(base.sequence, &loaded);
        Ok(Outcome { records, loaded, repeated: false })
    }
}
