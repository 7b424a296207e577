//! The state that rules need: ids and stages, never text. It follows from the events alone, and following never fails.

mod title;
mod turn;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use events::event::{
    AgentStarted, AgentsConfigured, Approval, CallPurpose, ConversationStarted, MessageSent, OverlapPolicy, Spent,
    TurnStarted, TurnStopped,
};
use events::{CallId, ConversationEvent, Decoded, MessageId, PersonId, RunId, Sealed, Sequence, TurnId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use title::{Opening, TITLE_CALLS, Titling};
pub use turn::{OpenCall, Run, Stage, Stop, ToolCall, ToolStage, Turn};

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
    /// What becomes of a message that comes while a turn runs.
    pub overlap: OverlapPolicy,
    /// The least that every tool needs here.
    pub approval: Approval,
    /// Its title, field `title` of the conversation.
    pub title: Option<Sealed>,
    /// It takes no more messages.
    pub archived: bool,
    /// Messages that have no turn yet, oldest first.
    pub waiting: Vec<Waiting>,
    /// The turn that runs.
    pub turn: Option<Turn>,
    /// The last answer, as long as nobody has said anything since.
    pub answered: Option<Answered>,
    /// The first message, and the first answer after it.
    pub opening: Option<Opening>,
    /// What was done for a title that no person gave.
    pub titling: Titling,
}

/// A message that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The turn that it will get.
    pub turn: TurnId,
    /// The message.
    pub message: MessageId,
    /// Sequence of its `MessageSent`.
    pub sequence: Sequence,
    /// Who sent it: the answer is sealed under their key.
    pub author: PersonId,
}

/// The answer of a turn that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The message that was answered; none where somebody started an agent.
    pub question: Option<MessageId>,
    /// The answer: the last step's message.
    pub answer: MessageId,
    /// Who wrote it.
    pub agent: String,
    /// With which model, where that was asked for.
    pub model: Option<String>,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            sequence: 0,
            starter: PersonId::from_uuid(Uuid::nil()),
            participants: Vec::new(),
            agents: Vec::new(),
            overlap: OverlapPolicy::default(),
            approval: Approval::default(),
            title: None,
            archived: false,
            waiting: Vec::new(),
            turn: None,
            answered: None,
            opening: None,
            titling: Titling::default(),
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
        Some((turn, turn.open_runs().find(|candidate| candidate.run == run)?))
    }

    /// The tool call of this id, with its turn and run, while the run has not ended.
    #[must_use]
    pub fn tool(&self, call: CallId) -> Option<(&Turn, &Run, &ToolCall)> {
        let turn = self.turn.as_ref()?;
        let (run, tool) = turn.tool(call)?;
        Some((turn, run, tool))
    }

    /// Whether a message that comes now has to wait for others.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.turn.is_some() || !self.waiting.is_empty()
    }

    fn evolve(&mut self, event: ConversationEvent) {
        use ConversationEvent as E;
        match event {
            E::ConversationStarted(event) => self.started(event),
            E::ConversationRenamed(event) => self.title = Some(event.title),
            E::ConversationArchived(_) => self.archived = true,
            E::ParticipantAdded(event) => self.participants.push(event.person),
            E::ParticipantRemoved(event) => self.participants.retain(|one| *one != event.person),
            E::AgentsConfigured(event) => self.configured(event),
            E::MessageSent(event) => self.sent(&event),
            E::TurnStarted(event) => self.turn_started(&event),
            E::StopRequested(event) => {
                self.turn(|turn| turn.stop = Some(Stop { by: event.by, roll_back: event.roll_back }));
            }
            E::TurnCompleted(_) => self.turn_completed(),
            E::TurnFailed(_) => self.turn_ended(),
            E::TurnStopped(event) => self.turn_stopped(&event),
            E::TurnPlanned(event) => self.turn(|turn| turn.plan(event.runs, event.more)),
            E::AgentStarted(event) => self.claimed(&event),
            E::AgentCompleted(event) => self.run_ended(event.run, Stage::Completed),
            E::AgentFailed(event) => self.run_ended(event.run, Stage::Failed),
            E::MessageStopped(event) => self.run_ended(event.run, Stage::Stopped),
            E::ModelCallStarted(event) => match event.purpose {
                CallPurpose::Answer => self.turn(|turn| turn.call_started(event)),
                CallPurpose::Title => self.titling.call_started(event),
            },
            E::ModelCallEnded(event) => {
                if !self.titling.call_ended(&event) {
                    self.turn(|turn| turn.call_ended(&event));
                }
            }
            E::ToolCallRequested(event) => {
                let sequence = self.sequence;
                self.turn(|turn| turn.tool_requested(&event, sequence));
            }
            E::ToolCallApproved(event) => self.tool_at(event.call, ToolStage::Ready),
            E::ToolCallStarted(event) => {
                self.tool_at(event.call, ToolStage::Started);
                self.turn(|turn| turn.tool_mut(event.call).into_iter().for_each(|tool| tool.epoch = event.epoch));
            }
            E::ToolCallRejected(event) => self.tool_at(event.call, ToolStage::Ended),
            E::ToolCallCompleted(event) => self.tool_at(event.call, ToolStage::Ended),
            E::ToolCallFailed(event) => self.tool_at(event.call, ToolStage::Ended),
            E::ToolCallUncertain(event) => self.tool_at(event.call, ToolStage::Ended),
            E::MessageCompleted(event) => self.answer_completed(event.run),
            E::MessageFailed(_) => {}
        }
    }

    fn started(&mut self, event: ConversationStarted) {
        self.starter = event.starter;
        self.participants = vec![event.starter];
        self.agents = event.agents;
        self.title = event.title;
    }

    fn configured(&mut self, event: AgentsConfigured) {
        self.agents = event.agents;
        self.overlap = event.overlap;
        self.approval = event.approval;
    }

    fn sent(&mut self, event: &MessageSent) {
        self.answered = None;
        let (message, author, sequence) = (event.message, event.author, self.sequence);
        self.opening.get_or_insert(Opening { message, author, sequence, answer: None });
        let Some(turn) = event.turn else { return };
        let waiting = Waiting { turn, message: event.message, sequence: self.sequence, author: event.author };
        match (&mut self.turn, event.steers) {
            (Some(running), Some(steered)) if running.turn == steered => running.steering.push(waiting),
            _ => self.waiting.push(waiting),
        }
    }

    fn turn_started(&mut self, event: &TurnStarted) {
        let TurnStarted { turn, message, person, regenerates } = *event;
        self.answered = None;
        let asked = self.waiting.iter().find(|waiting| waiting.turn == turn).map(|waiting| waiting.sequence);
        self.waiting.retain(|waiting| waiting.turn != turn);
        self.turn = Some(Turn {
            turn,
            message,
            asked,
            person,
            sequence: self.sequence,
            regenerates,
            runs: Vec::new(),
            more: false,
            stop: None,
            steering: Vec::new(),
            calls: 0,
            spent: Spent::default(),
        });
    }

    fn turn(&mut self, change: impl FnOnce(&mut Turn)) {
        if let Some(turn) = &mut self.turn {
            change(turn);
        }
    }

    fn claimed(&mut self, event: &AgentStarted) {
        let sequence = self.sequence;
        self.turn(|turn| {
            if let Some(run) = turn.run_mut(event.run) {
                run.epoch = event.epoch;
                run.started = sequence;
            }
        });
    }

    fn run_ended(&mut self, ended: RunId, stage: Stage) {
        self.turn(|turn| {
            if let Some(run) = turn.run_mut(ended) {
                run.stage = stage;
                run.open_call = None;
            }
        });
    }

    fn tool_at(&mut self, call: CallId, stage: ToolStage) {
        self.turn(|turn| turn.tool_mut(call).into_iter().for_each(|tool| tool.stage = stage));
    }

    fn turn_stopped(&mut self, event: &TurnStopped) {
        self.waiting.retain(|waiting| waiting.turn != event.turn);
        let Some(turn) = self.turn.as_ref().filter(|turn| turn.turn == event.turn) else { return };
        let message = turn.message;
        self.turn_ended();
        if event.rolled_back {
            self.undo_opening(message);
        }
    }

    /// A message that nobody has read gets a turn of its own, in its place.
    fn turn_ended(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        let is_undone = turn.stop.is_some_and(|stop| stop.roll_back);
        let is_quiet = self.waiting.is_empty() && turn.steering.is_empty() && !is_undone;
        self.answered = turn.last_step().filter(|_| is_quiet).map(|step| Answered {
            question: turn.message,
            answer: step.message,
            agent: step.agent.clone(),
            model: step.model.clone(),
        });
        self.waiting.extend(turn.steering);
        self.waiting.sort_by_key(|waiting| waiting.sequence);
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
