//! Whatever is asked in whatever order: sequences are contiguous, turns run one at a time in the order of the messages, and
//! every message and every run ends once.

use std::collections::{HashMap, HashSet};

use cqrs_es::Aggregate;
use events::event::{Approval, CallOutcome, CallPurpose, OverlapPolicy};
use events::{CallId, ConversationEvent, MessageId, RunId, TurnId};
use uuid::Uuid;

use super::fixtures::{
    TITLE, call, call_end, claim, complete, expiry, fail, new_call, person, request_tools, run, sealed, send, start,
    start_agent, start_turn, stop, tool,
};
use crate::conversation::{Conversation, Run, TITLE_CALLS, ToolStage};
use crate::rules::{
    AddParticipant, Approvers, ArchiveConversation, BeginCall, BeginTitle, ClaimRun, Command, DecideTool, EndRun,
    EndTitle, EndTool, ExpireTool, NewCall, RemoveParticipant, RenameConversation, RequestTools, SendMessage,
    StartTool, StopTurn, ToolEnd, Verdict, decide,
};

/// A small generator of numbers; the same seed, the same test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn command(&mut self, state: &Conversation) -> Command {
        if self.below(2) == 0 { self.sensible(state) } else { self.any() }
    }

    /// What a worker would ask now, now and then with an epoch that is off by one.
    fn sensible(&mut self, state: &Conversation) -> Command {
        if let Some(command) = self.title(state) {
            return command;
        }
        let stopping = state.turn.as_ref().is_some_and(|turn| turn.stop.is_some());
        let run = state.turn.as_ref().and_then(|turn| turn.open_runs().next());
        match (run, state.waiting.first()) {
            (Some(run), _) => self.work(run, stopping),
            (None, Some(waiting)) => start_turn(waiting.turn.uuid().as_u128()).into(),
            (None, None) => start_agent(u128::from(self.below(50)) + 101).into(),
        }
    }

    /// Now and then, what a worker would ask for a title.
    fn title(&mut self, state: &Conversation) -> Option<Command> {
        if self.below(4) > 0 {
            return None;
        }
        let number = state.titling.calls + 1 - u32::from(self.below(5) == 0);
        match &state.titling.open_call {
            Some(open) => {
                let call = call_end(open.call, CallOutcome::Failed);
                Some(EndTitle { call, title: None, title_chars: 0 }.into())
            }
            None if state.lacks_title() => {
                let call = NewCall { attempt: number, ..new_call(self.id()) };
                Some(BeginTitle { run: run(TITLE), call }.into())
            }
            None => None,
        }
    }

    /// The next piece of work on a run.
    fn work(&mut self, run: &Run, stopping: bool) -> Command {
        let (number, epoch) = (run.run.uuid().as_u128(), run.epoch + u32::from(self.below(5) == 0));
        let ended = |outcome| run.open_call.as_ref().map(|open| call_end(open.call, outcome));
        if let Some(tool) = run.tools.iter().find(|tool| tool.stage != ToolStage::Ended) {
            let (call, epoch) = (tool.call, tool.epoch);
            return match (tool.stage, self.below(3)) {
                (ToolStage::Waiting(_), 0) => ExpireTool { call, at: expiry() }.into(),
                (ToolStage::Waiting(_), _) => judge(call).into(),
                (ToolStage::Started, 0) => EndTool { call, epoch, end: ToolEnd::Failed(sealed("no")) }.into(),
                _ => StartTool { call, epoch: epoch + 1 }.into(),
            };
        }
        match self.below(6) {
            0 => EndRun { call: ended(CallOutcome::Completed), ..complete(number, epoch) }.into(),
            1 => EndRun { call: ended(CallOutcome::Failed), ..fail(number, epoch) }.into(),
            2 if stopping => EndRun { call: ended(CallOutcome::Stopped), ..stop(number, epoch) }.into(),
            3 => self.tools(run, epoch),
            4 if epoch > 0 => {
                let (before, call) = (ended(CallOutcome::Failed), new_call(self.id()));
                BeginCall { run: run.run, epoch, before, answered: run.answered, call }.into()
            }
            _ => ClaimRun { call: new_call(self.id()), ..claim(number, epoch + 1) }.into(),
        }
    }

    fn tools(&mut self, run: &Run, epoch: u32) -> Command {
        let approval = [Approval::Auto, Approval::Ask, Approval::Deny][self.below(3) as usize];
        let wanted = request_tools(run.run.uuid().as_u128(), epoch, &[1], self.below(2) == 0, approval);
        let call = run.open_call.as_ref().map_or(call(0, 0), |open| open.call);
        let mut tools = wanted.tools;
        tools[0].call = self.id();
        RequestTools { call: call_end(call, CallOutcome::Completed), tools, ..wanted }.into()
    }

    fn id(&mut self) -> CallId {
        CallId::from_uuid(Uuid::from_u128(u128::from(self.below(1 << 30)) << 32 | u128::from(self.below(1 << 30))))
    }

    /// Any command, most of them such as must be refused: of strangers, of things that are over or never were.
    fn any(&mut self) -> Command {
        let (number, epoch) = (u128::from(self.below(50)) + 1, self.below(4) as u32);
        let by = person(u128::from(self.below(4)) + 1);
        let other = person(u128::from(self.below(4)) + 1);
        match self.below(24) {
            0 => RenameConversation { by, title: sealed("t"), title_chars: 1 }.into(),
            1 if self.below(20) == 0 => ArchiveConversation { by }.into(),
            2 => AddParticipant { by, person: other }.into(),
            3 => RemoveParticipant { by, person: Some(other) }.into(),
            4 => start_agent(number + 100).into(),
            5 => start_turn(number).into(),
            6 => claim(number, epoch).into(),
            7 => complete(number, epoch).into(),
            8 => fail(number, epoch).into(),
            9 => start().into(),
            10 => StopTurn { by, turn: None }.into(),
            11 => DecideTool { by, ..judge(tool(number)) }.into(),
            _ => {
                use OverlapPolicy::{Enqueue, Interrupt, Reject, Rollback, Steer};
                let overlap = Some([Enqueue, Interrupt, Reject, Rollback, Steer][self.below(5) as usize]);
                SendMessage { overlap, ..send(u128::from(self.below(3)) + 1, number) }.into()
            }
        }
    }
}

fn judge(call: CallId) -> DecideTool {
    let (by, approvers) = (person(1), Approvers::Participants);
    DecideTool { by, is_admin: false, approvers, call, verdict: Verdict::Approved(None) }
}

/// What an observer of the events alone knows.
#[derive(Default)]
struct Observer {
    waiting: Vec<(TurnId, MessageId)>,
    steering: HashSet<MessageId>,
    calls: HashSet<CallId>,
    title_calls: HashSet<CallId>,
    titlings: u32,
    tools: HashMap<CallId, u32>,
    turned: HashSet<MessageId>,
    open: Option<events::TurnId>,
    epochs: HashMap<RunId, u32>,
    left: HashSet<RunId>,
    ended: HashSet<MessageId>,
}

impl Observer {
    fn see(&mut self, event: &ConversationEvent) {
        match event {
            ConversationEvent::MessageSent(sent) => {
                self.waiting.push((sent.turn.expect("somebody answers"), sent.message));
                self.steering.extend(sent.steers.map(|_| sent.message));
            }
            ConversationEvent::TurnStarted(started) => {
                assert_eq!(self.open.replace(started.turn), None, "one turn at a time");
                if let Some(message) = started.message {
                    assert_eq!(self.waiting.remove(0), (started.turn, message), "in the order of the messages");
                    assert!(self.turned.insert(message), "one turn for a message");
                } else {
                    assert!(self.waiting.is_empty(), "messages that wait come first");
                }
            }
            ConversationEvent::ModelCallStarted(call) if call.purpose == CallPurpose::Title => {
                assert!(self.title_calls.is_empty(), "one call for a title at a time");
                self.title_calls.insert(call.call);
                self.titlings += 1;
                assert!(self.titlings <= TITLE_CALLS, "no more than are allowed");
            }
            ConversationEvent::ModelCallEnded(call) if self.title_calls.remove(&call.call) => {}
            ConversationEvent::ModelCallStarted(call) => {
                assert!(self.calls.insert(call.call), "a call begins once");
                assert_eq!(self.epochs.get(&call.run), Some(&call.epoch), "of the attempt that counts");
                // All that was sent before has been read.
                let read = std::mem::take(&mut self.steering);
                self.waiting.retain(|(_, message)| !read.contains(message));
            }
            ConversationEvent::ModelCallEnded(call) => assert!(self.calls.remove(&call.call), "a call ends once"),
            ConversationEvent::ToolCallRequested(tool) => {
                assert!(self.tools.insert(tool.call, 0).is_none(), "a tool call is wanted once");
            }
            ConversationEvent::ToolCallStarted(tool) => {
                let epoch = self.tools.get_mut(&tool.call).expect("what begins has not ended");
                *epoch += 1;
                assert_eq!(*epoch, tool.epoch, "every attempt has its epoch");
            }
            ConversationEvent::ToolCallCompleted(tool) => self.end_tool(tool.call),
            ConversationEvent::ToolCallFailed(tool) => self.end_tool(tool.call),
            ConversationEvent::ToolCallRejected(tool) => self.end_tool(tool.call),
            ConversationEvent::ToolCallUncertain(tool) => self.end_tool(tool.call),
            ConversationEvent::TurnPlanned(planned) => self.left = planned.runs.iter().map(|run| run.run).collect(),
            ConversationEvent::AgentStarted(started) => {
                let epoch = self.epochs.entry(started.run).or_default();
                assert_eq!(started.epoch, *epoch + 1, "every attempt has its epoch");
                *epoch = started.epoch;
            }
            ConversationEvent::MessageCompleted(ended) => self.end(ended.message, ended.run, ended.epoch),
            ConversationEvent::MessageFailed(ended) => self.end(ended.message, ended.run, ended.epoch),
            ConversationEvent::AgentCompleted(ended) => assert!(self.left.remove(&ended.run), "a run ends once"),
            ConversationEvent::AgentFailed(ended) => assert!(self.left.remove(&ended.run), "a run ends once"),
            ConversationEvent::MessageStopped(ended) => {
                self.end(ended.message, ended.run, ended.epoch);
                assert!(self.left.remove(&ended.run), "a run ends once");
            }
            ConversationEvent::TurnStopped(ended) if self.open != Some(ended.turn) => {
                self.waiting.retain(|(turn, _)| *turn != ended.turn);
            }
            ConversationEvent::TurnStopped(ended) => self.end_turn(ended.turn),
            ConversationEvent::TurnCompleted(ended) => self.end_turn(ended.turn),
            ConversationEvent::TurnFailed(ended) => self.end_turn(ended.turn),
            _ => {}
        }
    }

    fn end(&mut self, message: MessageId, run: RunId, epoch: u32) {
        assert!(self.ended.insert(message), "a message ends once");
        assert_eq!(self.epochs.get(&run).copied().unwrap_or_default(), epoch, "only the last attempt ends a message");
    }

    fn end_tool(&mut self, call: CallId) {
        assert!(self.tools.remove(&call).is_some(), "a tool call ends once");
    }

    fn end_turn(&mut self, turn: events::TurnId) {
        assert_eq!(self.open.take(), Some(turn));
        assert!(self.calls.is_empty(), "nobody asks a model outside a turn");
        self.tools.clear();
        self.steering.clear();
        assert!(self.left.is_empty(), "a turn ends with its last run");
    }
}

#[test]
fn any_order_of_commands_keeps_the_promises() {
    let (mut turns, mut titlings) = (0, 0);
    for seed in 0..300 {
        let (mut dice, mut state, mut observer) = (Dice(seed), Conversation::default(), Observer::default());
        let mut used: HashSet<String> = HashSet::new();
        for step in 0..400 {
            let command = if step == 0 { start().into() } else { reading_all(&state, dice.command(&state)) };
            if fresh_id(&command).is_some_and(|id| used.contains(&id)) {
                continue;
            }
            let Ok(events) = decide(&state, &command) else { continue };
            used.extend(fresh_id(&command));
            assert!(!events.is_empty(), "what is accepted happens");
            for event in events {
                observer.see(&event);
                let sequence = state.sequence;
                state.apply(event.into());
                assert_eq!(state.sequence, sequence + 1);
            }
            assert!(!state.participants.is_empty(), "somebody takes part");
            assert_eq!(state.turn.as_ref().map(|turn| turn.turn), observer.open);
            let mut waiting = state.waiting.clone();
            waiting.extend(state.turn.iter().flat_map(|turn| turn.steering.clone()));
            waiting.sort_by_key(|waiting| waiting.sequence);
            let waiting: Vec<_> = waiting.iter().map(|waiting| (waiting.turn, waiting.message)).collect();
            assert_eq!(waiting, observer.waiting);
        }
        turns += observer.turned.len();
        titlings += observer.titlings;
    }
    assert!(turns > 1_000, "the test tries something: {turns} turns");
    assert!(titlings > 100, "titles too: {titlings} calls");
}

/// A model is shown everything up to now.
fn reading_all(state: &Conversation, command: Command) -> Command {
    match command {
        Command::ClaimRun(mut command) => {
            command.call.context.up_to = state.sequence;
            command.into()
        }
        Command::BeginCall(mut command) => {
            command.call.context.up_to = state.sequence;
            command.into()
        }
        command => command,
    }
}

/// What the request layer makes anew each time.
fn fresh_id(command: &Command) -> Option<String> {
    match command {
        Command::SendMessage(command) => Some(command.message.to_string()),
        Command::StartAgent(command) => Some(command.turn.to_string()),
        _ => None,
    }
}
