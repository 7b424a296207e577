//! Random histories of one conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use event_log::Chunk;
use events::event::{
    AgentCompleted, AgentStarted, ContextReference, ConversationStarted, MessageCompleted, MessageFailed, MessageSent,
    TurnCompleted, TurnFailed, TurnStarted,
};
use events::record::Envelope;
use events::{
    Actor, ChunkKind, ChunkProduced, ChunkSpan, ChunkTable, ConversationEvent, ConversationId, EventId, FinishReason,
    KeyId, MessageId, PersonId, Record, RunId, Sealed, Sequence, TurnId,
};

use crate::live::cut::Cut;
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
}

impl World {
    pub(super) fn random(dice: &mut Dice, turns: usize) -> Self {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (conversation, person) = (ConversationId::generate(), PersonId::generate());
        let (events, chunks, ends) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut world = Self { conversation, person, start, events, chunks, ends };
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
                awaits_turn: true,
                message_type: None,
                metadata: None,
            });
        }
    }

    fn turn(&mut self, dice: &mut Dice) {
        let turn = TurnId::generate();
        self.append(TurnStarted { turn, message: None, person: self.person });
        let mut failed = false;
        for _ in 0..=dice.below(2) {
            failed = self.run(dice, turn);
            if failed {
                break;
            }
        }
        if failed {
            self.append(TurnFailed { turn, reason: sealed("so") });
        } else {
            self.append(TurnCompleted { turn });
        }
    }

    fn run(&mut self, dice: &mut Dice, turn: TurnId) -> bool {
        let (run, message) = (RunId::generate(), MessageId::generate());
        let (mut epoch, mut started, mut table, mut texts) = (0, 0, Vec::new(), [String::new(), String::new()]);
        while epoch == 0 || (epoch < 3 && dice.one_in(4)) {
            epoch += 1;
            self.say(dice.below(2));
            let context =
                ContextReference { conversation: self.conversation, up_to: 0, renderer: 1, digest: String::new() };
            let (agent, model) = ("assistant".into(), "offline".into());
            started = self.append(AgentStarted { run, turn, message, agent, model, epoch, context });
            (table, texts) = self.stream(dice, message, run, epoch, started);
        }
        let failed = dice.one_in(4);
        let (chunks, [text, reasoning]) = (sealed(""), texts.clone().map(|text| sealed(&text)));
        let reasoning = Some(reasoning);
        let end = if failed {
            self.append(MessageFailed {
                message,
                run,
                epoch,
                started,
                text,
                reasoning,
                chunks,
                reason: sealed("why"),
                usage: None,
            })
        } else {
            let finish_reason = FinishReason::Stop;
            self.append(MessageCompleted {
                message,
                run,
                epoch,
                started,
                text,
                reasoning,
                chunks,
                finish_reason,
                usage: None,
            })
        };
        let [text, reasoning] = texts;
        self.ends.insert(started, (end, Arc::new(Cut::new(ChunkTable(table), text.into(), reasoning.into()).unwrap())));
        self.say(dice.below(2));
        self.append(AgentCompleted { run, usage: None });
        failed
    }

    fn stream(
        &mut self,
        dice: &mut Dice,
        message: MessageId,
        run: RunId,
        epoch: u32,
        started: Sequence,
    ) -> (Vec<ChunkSpan>, [String; 2]) {
        let (mut table, mut texts) = (Vec::new(), [String::new(), String::new()]);
        let mut after = started;
        for index in 0..dice.below(8) {
            if dice.one_in(3) {
                self.say(1);
            }
            // A worker knows of other people's events late, but never goes back.
            let newest = self.events.len() as Sequence;
            after += dice.below(usize::try_from(newest - after).unwrap() + 1) as Sequence;
            let kind = if dice.one_in(4) { ChunkKind::Reasoning } else { ChunkKind::Text };
            let text = format!("{message}/{epoch}/{index} ");
            texts[usize::from(kind == ChunkKind::Reasoning)] += &text;
            let (index, delay_ms) = (u32::try_from(index).unwrap(), 7 * index as u64);
            table.push(ChunkSpan { kind, bytes: u32::try_from(text.len()).unwrap(), delay_ms, after });
            let data = ChunkProduced { message, run, epoch, index, kind, delta: sealed(&text), after, delay_ms };
            let (conversation, tenant, at) = (self.conversation, "default".into(), self.start);
            self.chunks.push(LiveChunk::new(Arc::new(Chunk { conversation, tenant, at, data })));
        }
        (table, texts)
    }
}
