//! The state that rules need: ids and stages, never text. It follows from the events alone, and following never fails.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use events::event::{AgentStarted, ConversationStarted, MessageSent, TurnPlanned, TurnStarted};
use events::{ConversationEvent, Decoded, MessageId, PersonId, RunId, Sealed, Sequence, TurnId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Refusal;
use crate::rules::{Command, decide};

/// A conversation as its events left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Number of its last event; 0: it has not begun.
    pub sequence: Sequence,
    /// Who began it; the nil id before that.
    pub starter: PersonId,
    /// Who takes part, the starter first as long as they do.
    pub participants: Vec<PersonId>,
    /// Names of the agents that answer its messages.
    pub agents: Vec<String>,
    /// Its title, field `title` of the conversation.
    pub title: Option<Sealed>,
    /// It takes no more messages.
    pub archived: bool,
    /// Messages that have no turn yet, oldest first.
    pub waiting: Vec<Waiting>,
    /// The turn that runs.
    pub turn: Option<Turn>,
}

/// A message that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The message.
    pub message: MessageId,
    /// Sequence of its `MessageSent`.
    pub sequence: Sequence,
    /// Who sent it: the answer is sealed under their key.
    pub author: PersonId,
}

/// A turn that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The turn.
    pub turn: TurnId,
    /// The message that it answers; none where somebody started an agent.
    pub message: Option<MessageId>,
    /// Whose message or wish began it.
    pub person: PersonId,
    /// Sequence of its `TurnStarted`.
    pub sequence: Sequence,
    /// Its runs that have not ended, in the plan's order.
    pub runs: Vec<Run>,
}

/// A run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The run.
    pub run: RunId,
    /// The message that it writes.
    pub message: MessageId,
    /// The agent's name.
    pub agent: String,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Field `instructions` of the run, where they were given.
    pub instructions: Option<Sealed>,
    /// The last attempt; 0: no worker has claimed it yet.
    pub epoch: u32,
    /// Sequence of that attempt's `AgentStarted`; 0: none.
    pub started: Sequence,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            sequence: 0,
            starter: PersonId::from_uuid(Uuid::nil()),
            participants: Vec::new(),
            agents: Vec::new(),
            title: None,
            archived: false,
            waiting: Vec::new(),
            turn: None,
        }
    }
}

impl Conversation {
    /// Whether this person may read and write.
    #[must_use]
    pub fn has_participant(&self, person: PersonId) -> bool {
        self.participants.contains(&person)
    }

    /// The run of this id, with its turn, while it has not ended.
    #[must_use]
    pub fn run(&self, run: RunId) -> Option<(&Turn, &Run)> {
        let turn = self.turn.as_ref()?;
        Some((turn, turn.runs.iter().find(|candidate| candidate.run == run)?))
    }

    fn evolve(&mut self, event: ConversationEvent) {
        match event {
            ConversationEvent::ConversationStarted(event) => self.started(event),
            ConversationEvent::ConversationRenamed(event) => self.title = Some(event.title),
            ConversationEvent::ConversationArchived(_) => self.archived = true,
            ConversationEvent::ParticipantAdded(event) => self.participants.push(event.person),
            ConversationEvent::ParticipantRemoved(event) => self.participants.retain(|one| *one != event.person),
            ConversationEvent::MessageSent(event) => self.sent(&event),
            ConversationEvent::TurnStarted(event) => self.turn_started(&event),
            ConversationEvent::TurnPlanned(event) => self.planned(event),
            ConversationEvent::AgentStarted(event) => self.claimed(&event),
            ConversationEvent::AgentCompleted(event) => self.run_ended(event.run),
            ConversationEvent::AgentFailed(event) => self.run_ended(event.run),
            ConversationEvent::TurnCompleted(_) | ConversationEvent::TurnFailed(_) => self.turn = None,
            ConversationEvent::MessageCompleted(_) | ConversationEvent::MessageFailed(_) => {}
        }
    }

    fn started(&mut self, event: ConversationStarted) {
        self.starter = event.starter;
        self.participants = vec![event.starter];
        self.agents = event.agents;
        self.title = event.title;
    }

    fn sent(&mut self, event: &MessageSent) {
        if event.awaits_turn {
            let (message, author) = (event.message, event.author);
            self.waiting.push(Waiting { message, sequence: self.sequence, author });
        }
    }

    fn turn_started(&mut self, event: &TurnStarted) {
        self.waiting.retain(|waiting| Some(waiting.message) != event.message);
        let TurnStarted { turn, message, person } = *event;
        self.turn = Some(Turn { turn, message, person, sequence: self.sequence, runs: Vec::new() });
    }

    fn planned(&mut self, event: TurnPlanned) {
        if let Some(turn) = &mut self.turn {
            let runs = event.runs.into_iter().map(|planned| Run {
                run: planned.run,
                message: planned.message,
                agent: planned.agent,
                model: planned.model,
                instructions: planned.instructions,
                epoch: 0,
                started: 0,
            });
            turn.runs = runs.collect();
        }
    }

    fn claimed(&mut self, event: &AgentStarted) {
        let runs = self.turn.iter_mut().flat_map(|turn| &mut turn.runs);
        for run in runs.filter(|run| run.run == event.run) {
            run.epoch = event.epoch;
            run.started = self.sequence;
        }
    }

    fn run_ended(&mut self, ended: RunId) {
        if let Some(turn) = &mut self.turn {
            turn.runs.retain(|run| run.run != ended);
        }
    }
}

/// An event of a conversation's stream; `None`: one of a later build, which only counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact(pub Option<ConversationEvent>);

impl From<ConversationEvent> for Fact {
    fn from(event: ConversationEvent) -> Self {
        Self(Some(event))
    }
}

impl From<Decoded> for Fact {
    fn from(decoded: Decoded) -> Self {
        match decoded {
            Decoded::Known(event) => Self(Some(event)),
            Decoded::Unknown => Self(None),
        }
    }
}

impl DomainEvent for Fact {
    fn event_type(&self) -> String {
        self.0.as_ref().map(ConversationEvent::wire_type).unwrap_or_default().into()
    }

    fn event_version(&self) -> String {
        ConversationEvent::VERSION.into()
    }
}

impl Aggregate for Conversation {
    const TYPE: &'static str = "conversation";
    type Command = Command;
    type Event = Fact;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, (): &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in decide(self, &command)? {
            sink.write(event.into(), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, Fact(event): Fact) {
        self.sequence += 1;
        if let Some(event) = event {
            self.evolve(event);
        }
    }
}
