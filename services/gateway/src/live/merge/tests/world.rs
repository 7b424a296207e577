//! Random histories of one conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use event_log::Chunk;
use events::event::{
    AgentCompleted, AgentStarted, CallOutcome, ContextReference, ConversationStarted, MessageCompleted, MessageFailed,
    MessageSent, MessageStopped, ModelCallEnded, Said, Spent, TurnCompleted, TurnStarted, TurnStopped,
};
use events::record::Envelope;
use events::{
    Actor, CallId, ChunkKind, ChunkProduced, ChunkSpan, ChunkTable, ConversationEvent, ConversationId, EventId,
    FinishReason, KeyId, MessageId, PersonId, Record, RunId, Sealed, Sequence, TurnId,
};

use crate::live::cut::{Cut, Sources};
use crate::live::item::{LiveChunk, LiveEvent};

/// A small generator of our own (xorshift): the same seed, the same history.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % limit as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

fn sealed(text: &str) -> Sealed {
    Sealed { v: 1, k: KeyId::from_uuid(uuid::Uuid::nil()), b: text.into() }
}

/// All that ever happened in one conversation.
pub(super) struct World {
    conversation: ConversationId,
    person: PersonId,
    start: DateTime<Utc>,
    pub(super) events: Vec<Arc<LiveEvent>>,
    /// In the order of their production, over all epochs.
    pub(super) chunks: Vec<Arc<LiveChunk>>,
    /// By `started` of the epoch that the message ended in: the end's sequence and its chunks.
    pub(super) ends: BTreeMap<Sequence, (Sequence, Arc<Cut>)>,
    /// What each model call has said after which its run went on, by the sequence of its end.
    pub(super) said: BTreeMap<Sequence, Arc<Cut>>,
    /// The log has lost what was said first; ended model calls have it.
    pub(super) forgets: bool,
}

impl World {
    pub(super) fn random(dice: &mut Dice, turns: usize) -> Self {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (conversation, person) = (ConversationId::generate(), PersonId::generate());
        let (events, chunks, ends, said) = (Vec::new(), Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut world = Self { conversation, person, start, events, chunks, ends, said, forgets: false };
        world.append(ConversationStarted {
            starter: person,
            title: None,
            agents: vec!["assistant".into()],
            metadata: None,
        });
        for _ in 0..turns {
            world.say(dice.below(3));
            world.turn(dice);
        }
        world
    }

    fn append(&mut self, event: impl Into<ConversationEvent>) -> Sequence {
        let sequence = self.events.len() as Sequence + 1;
        let id = EventId::generate();
        let envelope = Envelope {
            id,
            subject: self.conversation,
            time: self.start + TimeDelta::milliseconds(10 * i64::try_from(sequence).unwrap()),
            sequence,
            tenant: "default".into(),
            actor: Actor::System,
            correlationid: id,
            causationid: None,
            prevhash: Record::NO_HASH.into(),
        };
        self.events.push(LiveEvent::new(Arc::new(Record::new(envelope, &event.into()))));
        sequence
    }

    pub(super) fn say(&mut self, times: usize) {
        for _ in 0..times {
            let message = MessageId::generate();
            let text = sealed("hi");
            self.append(MessageSent {
                message,
                author: self.person,
                text,
                text_bytes: 2,
                turn: Some(TurnId::generate()),
                steers: None,
                message_type: None,
                metadata: None,
                response_schema: None,
            });
        }
    }

    /// Several messages at a time, each in the making, taken over, or at its end.
    fn turn(&mut self, dice: &mut Dice) {
        let turn = TurnId::generate();
        self.append(TurnStarted { turn, message: None, person: self.person, regenerates: None });
        let mut writers: Vec<_> = (0..=dice.below(3)).map(|_| Writer::default()).collect();
        while !writers.is_empty() {
            let place = dice.below(writers.len());
            let writer = &mut writers[place];
            match dice.below(12) {
                _ if writer.epoch == 0 => self.claim(writer, turn),
                0 if writer.epoch < 3 => self.claim(writer, turn),
                1 | 2 => {
                    let writer = writers.swap_remove(place);
                    self.end(dice, writer);
                }
                3 => self.say(1),
                // A turn that waits is stopped while this one runs.
                4 => drop(self.append(TurnStopped { turn: TurnId::generate(), by: self.person, rolled_back: false })),
                5 => self.go_on(writer),
                _ => self.stream(dice, writer),
            }
        }
        if dice.one_in(4) {
            self.append(TurnStopped { turn, by: self.person, rolled_back: true });
        } else {
            self.append(TurnCompleted { turn });
        }
    }

    /// An answer that nobody else's events fall into.
    pub(super) fn answer(&mut self, dice: &mut Dice) {
        let (turn, mut writer) = (TurnId::generate(), Writer::default());
        self.append(TurnStarted { turn, message: None, person: self.person, regenerates: None });
        self.claim(&mut writer, turn);
        for _ in 0..dice.below(3) {
            (0..dice.below(4)).for_each(|_| self.stream(dice, &mut writer));
            self.go_on(&mut writer);
        }
        (0..dice.below(4)).for_each(|_| self.stream(dice, &mut writer));
        self.end(dice, writer);
        self.append(TurnCompleted { turn });
    }

    fn claim(&mut self, writer: &mut Writer, turn: TurnId) {
        let (run, message, epoch) = (writer.run, writer.message, writer.epoch + 1);
        let (conversation, profile, digest) = (self.conversation, String::new(), String::new());
        let context = ContextReference { conversation, up_to: 0, profile, renderer: 1, digest };
        let (agent, model) = ("assistant".into(), "offline".into());
        let started = self.append(AgentStarted { run, turn, message, agent, model, epoch, context });
        *writer = Writer { run, message, epoch, started, after: started, ..Writer::default() };
    }

    /// A model call ends, and its run goes on with tools.
    fn go_on(&mut self, writer: &mut Writer) {
        let (call, run, outcome, spent) = (CallId::generate(), writer.run, CallOutcome::Completed, Spent::default());
        let said = Some(Said { text: sealed(""), reasoning: None, calls: None, chunks: sealed("") });
        let ended = self.append(ModelCallEnded { call, run, outcome, spent, cached: false, said });
        let mut texts = Sources::<String>::default();
        for kind in [ChunkKind::Text, ChunkKind::Reasoning, ChunkKind::ToolCall] {
            texts.of_mut(kind).push_str(&writer.texts.of(kind)[*writer.said.of(kind)..]);
            *writer.said.of_mut(kind) = writer.texts.of(kind).len();
        }
        let texts = Sources { text: texts.text.into(), reasoning: texts.reasoning.into(), calls: texts.calls.into() };
        self.said.insert(ended, Arc::new(Cut::last_of(ChunkTable(writer.table.clone()), texts).unwrap()));
        writer.after = ended;
    }

    fn end(&mut self, dice: &mut Dice, writer: Writer) {
        let Writer { run, message, epoch, started, table, texts, .. } = writer;
        let Sources { text, reasoning, calls } = texts.clone();
        let (text, chunks, spent) = (sealed(&text), sealed(""), Spent::default());
        let (reasoning, calls) = (Some(sealed(&reasoning)), Some(sealed(&calls)));
        let (finish_reason, reason) = (FinishReason::Stop, sealed("why"));
        let end = match dice.below(4) {
            0 => self.append(MessageFailed {
                message,
                run,
                epoch,
                started,
                text,
                reasoning,
                calls,
                chunks,
                reason,
                spent,
            }),
            1 => self.append(MessageStopped { message, run, epoch, started, text, reasoning, calls, chunks, spent }),
            _ => self.append(MessageCompleted {
                message,
                run,
                epoch,
                started,
                text,
                reasoning,
                calls,
                chunks,
                finish_reason,
                spent,
            }),
        };
        let texts = Sources { text: texts.text.into(), reasoning: texts.reasoning.into(), calls: texts.calls.into() };
        self.ends.insert(started, (end, Arc::new(Cut::new(ChunkTable(table), texts).unwrap())));
        self.say(dice.below(2));
        self.append(AgentCompleted { run, spent: Spent::default() });
    }

    fn stream(&mut self, dice: &mut Dice, writer: &mut Writer) {
        let Writer { run, message, epoch, .. } = *writer;
        // A worker knows of other people's events late, but never goes back.
        let newest = self.events.len() as Sequence;
        writer.after += dice.below(usize::try_from(newest - writer.after).unwrap() + 1) as Sequence;
        let kind = [ChunkKind::Text, ChunkKind::Text, ChunkKind::Reasoning, ChunkKind::ToolCall][dice.below(4)];
        let (after, index) = (writer.after, u32::try_from(writer.table.len()).unwrap());
        let text = format!("{message}/{epoch}/{index} ");
        *writer.texts.of_mut(kind) += &text;
        let delay_ms = 7 * u64::from(index);
        writer.table.push(ChunkSpan { kind, bytes: u32::try_from(text.len()).unwrap(), delay_ms, after });
        let data = ChunkProduced { message, run, epoch, index, kind, delta: sealed(&text), after, delay_ms };
        let (conversation, tenant, at) = (self.conversation, "default".into(), self.start);
        self.chunks.push(LiveChunk::new(Arc::new(Chunk { conversation, tenant, at, data })));
    }
}

/// A run in the making.
struct Writer {
    run: RunId,
    message: MessageId,
    epoch: u32,
    started: Sequence,
    after: Sequence,
    table: Vec<ChunkSpan>,
    texts: Sources<String>,
    /// Bytes of these that ended model calls have said.
    said: Sources<usize>,
}

impl Default for Writer {
    fn default() -> Self {
        let (run, message) = (RunId::generate(), MessageId::generate());
        let (table, texts, said) = (Vec::new(), Sources::default(), Sources::default());
        Self { run, message, epoch: 0, started: 0, after: 0, table, texts, said }
    }
}
