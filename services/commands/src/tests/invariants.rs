//! Whatever is asked in whatever order: sequences are contiguous, turns run one at a time in the order of the messages, and
//! every message and every run ends once.

use std::collections::{HashMap, HashSet};

use cqrs_es::Aggregate;
use events::{ConversationEvent, MessageId, RunId};

use super::fixtures::{claim, complete, fail, person, sealed, send, start, start_agent, start_turn};
use crate::conversation::Conversation;
use crate::rules::{AddParticipant, ArchiveConversation, Command, RemoveParticipant, RenameConversation, decide};

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
        let run = state.turn.as_ref().and_then(|turn| turn.runs.first());
        match (run, state.waiting.first()) {
            (Some(run), _) => {
                let (number, epoch) = (run.run.uuid().as_u128(), run.epoch + self.below(2) as u32);
                match self.below(3) {
                    0 => complete(number, epoch).into(),
                    1 => fail(number, epoch).into(),
                    _ => claim(number, epoch).into(),
                }
            }
            (None, Some(waiting)) => start_turn(waiting.message.uuid().as_u128()).into(),
            (None, None) => start_agent(u128::from(self.below(50)) + 101).into(),
        }
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
            _ => send(u128::from(self.below(3)) + 1, number).into(),
        }
    }
}

/// What an observer of the events alone knows.
#[derive(Default)]
struct Observer {
    waiting: Vec<MessageId>,
    turned: HashSet<MessageId>,
    open: Option<events::TurnId>,
    epochs: HashMap<RunId, u32>,
    left: HashSet<RunId>,
    ended: HashSet<MessageId>,
}

impl Observer {
    fn see(&mut self, event: &ConversationEvent) {
        match event {
            ConversationEvent::MessageSent(sent) => self.waiting.push(sent.message),
            ConversationEvent::TurnStarted(started) => {
                assert_eq!(self.open.replace(started.turn), None, "one turn at a time");
                if let Some(message) = started.message {
                    assert_eq!(self.waiting.remove(0), message, "in the order of the messages");
                    assert!(self.turned.insert(message), "one turn for a message");
                } else {
                    assert!(self.waiting.is_empty(), "messages that wait come first");
                }
            }
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
            ConversationEvent::TurnCompleted(ended) => self.end_turn(ended.turn),
            ConversationEvent::TurnFailed(ended) => self.end_turn(ended.turn),
            _ => {}
        }
    }

    fn end(&mut self, message: MessageId, run: RunId, epoch: u32) {
        assert!(self.ended.insert(message), "a message ends once");
        assert_eq!(self.epochs.get(&run).copied().unwrap_or_default(), epoch, "only the last attempt ends a message");
    }

    fn end_turn(&mut self, turn: events::TurnId) {
        assert_eq!(self.open.take(), Some(turn));
        assert!(self.left.is_empty(), "a turn ends with its last run");
    }
}

#[test]
fn any_order_of_commands_keeps_the_promises() {
    let mut turns = 0;
    for seed in 0..300 {
        let (mut dice, mut state, mut observer) = (Dice(seed), Conversation::default(), Observer::default());
        let mut used: HashSet<String> = HashSet::new();
        for step in 0..400 {
            let command = if step == 0 { start().into() } else { dice.command(&state) };
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
            assert_eq!(state.waiting.iter().map(|one| one.message).collect::<Vec<_>>(), observer.waiting);
        }
        turns += observer.turned.len();
    }
    assert!(turns > 1_000, "the test tries something: {turns} turns");
}

/// What the request layer makes anew each time.
fn fresh_id(command: &Command) -> Option<String> {
    match command {
        Command::SendMessage(command) => Some(command.message.to_string()),
        Command::StartAgent(command) => Some(command.turn.to_string()),
        _ => None,
    }
}
