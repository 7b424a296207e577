mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use events::{ChunkTable, ConversationEvent, Cursor, MessageId, Sequence};

use super::{Delta, Merge, Piece, Step};
use crate::live::cut::{Cut, Cutting, Sources};
use crate::live::item::LiveEvent;
use crate::live::start::{bounds_a_turn, open_at};

use self::world::{Dice, World};

impl World {
    fn last(&self) -> Sequence {
        self.events.len() as Sequence
    }

    /// A merge that stands at this cursor.
    fn merge_at(&self, cursor: &Cursor) -> Merge {
        let before = &self.events[..usize::try_from(cursor.sequence).unwrap()];
        let turn = before.iter().rposition(|event| bounds_a_turn(event)).map_or(before, |bound| &before[bound..]);
        Merge::new(cursor.sequence, open_at(turn, cursor), true)
    }

    fn cut(&self, end: &LiveEvent) -> (MessageId, Arc<Cut>) {
        let end = end.end().unwrap();
        (end.message, self.ends[&end.started].1.clone())
    }

    /// What a fill gives: the store up to `until`, ended messages from their records, the others from the log's first `logged` chunks.
    fn fill(&self, merge: &mut Merge, until: Sequence, logged: usize, seen: &mut Seen) {
        let supply = |merge: &mut Merge| {
            let open: Vec<_> = merge.open().iter().map(|open| (open.started, open.message, open.epoch)).collect();
            for (started, message, epoch) in open {
                match self.ends.get(&started) {
                    Some((end, cut)) if *end <= until => merge.supply(message, cut.clone()),
                    end => {
                        let chunks = self.chunks[..logged].iter().filter(|live| live.chunk.data.message == message);
                        let lost = end.filter(|_| self.forgets).map_or(0, |(_, cut)| {
                            let said = chunks.clone().filter(|live| live.chunk.data.epoch == epoch).count() * 2 / 3;
                            merge.said(message, started, first_of(cut, said));
                            u32::try_from(said / 2).unwrap()
                        });
                        merge.backlog(message, chunks.filter(|live| live.chunk.data.index >= lost).cloned());
                    }
                }
            }
        };
        supply(merge);
        self.drain(merge, seen);
        for sequence in merge.sequence()..until {
            merge.event(self.events[usize::try_from(sequence).unwrap()].clone());
            let event = loop {
                match self.next(merge) {
                    Step::Event(event) => break event,
                    Step::Chunk(piece) => seen.chunk(merge, &piece),
                    _ => panic!("an event was given"),
                }
            };
            seen.event(merge, &event);
            supply(merge);
            self.drain(merge, seen);
        }
    }

    /// As [`Merge::step`], with the cuts supplied and events alone in the way of a drain.
    fn next(&self, merge: &mut Merge) -> Step {
        loop {
            match merge.step() {
                Step::Cut(end) if end.end().is_some() => {
                    let (message, cut) = self.cut(&end);
                    merge.supply(message, cut);
                }
                Step::Cut(ended) => {
                    let open = merge.open().iter().find(|open| ended.closes(open.message, open.run)).unwrap();
                    let (message, cut) = (open.message, self.said[&ended.sequence()].clone());
                    assert!(cut.first() <= open.next as usize);
                    merge.said(message, ended.sequence(), cut);
                }
                step => return step,
            }
        }
    }

    fn drain(&self, merge: &mut Merge, seen: &mut Seen) {
        loop {
            match self.next(merge) {
                Step::Event(event) => seen.event(merge, &event),
                Step::Chunk(piece) => seen.chunk(merge, &piece),
                Step::Gap | Step::Wait | Step::Cut(_) => return,
            }
        }
    }

    /// Live: events from `events` on and chunks from `chunks` on, each in its own order, mixed and doubled at will.
    fn live(&self, merge: &mut Merge, events: Sequence, chunks: usize, dice: &mut Dice, seen: &mut Seen) {
        let (mut event, mut chunk) = (usize::try_from(events).unwrap(), chunks);
        while event < self.events.len() || chunk < self.chunks.len() {
            if chunk == self.chunks.len() || (event < self.events.len() && dice.one_in(2)) {
                merge.event(self.events[event - usize::from(event > 0 && dice.one_in(5))].clone());
                merge.event(self.events[event].clone());
                event += 1;
            } else {
                merge.chunk(self.chunks[chunk - usize::from(chunk > 0 && dice.one_in(5))].clone());
                merge.chunk(self.chunks[chunk].clone());
                chunk += 1;
            }
            self.drain(merge, seen);
        }
    }
}

/// A message's cut up to one of its chunks.
fn first_of(cut: &Arc<Cut>, count: usize) -> Arc<Cut> {
    let mut cutting = Cutting::new(cut.clone(), 0);
    let (mut spans, mut texts) = (Vec::new(), Sources::<String>::default());
    for (span, delta) in std::iter::from_fn(|| cutting.take()).take(count) {
        spans.push(span);
        *texts.of_mut(span.kind) += &delta;
    }
    let Sources { text, reasoning, calls } = texts;
    let texts = Sources { text: text.into(), reasoning: reasoning.into(), calls: calls.into() };
    Arc::new(Cut::new(ChunkTable(spans), texts).unwrap())
}

/// What a reader saw.
#[derive(Clone, Default)]
struct Seen {
    items: Vec<(Cursor, Item)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Event(Sequence),
    Chunk { message: MessageId, epoch: u32, index: u32, text: String, at: DateTime<Utc> },
}

impl Seen {
    fn event(&mut self, merge: &Merge, event: &LiveEvent) {
        self.items.push((merge.cursor(), Item::Event(event.sequence())));
    }

    fn chunk(&mut self, merge: &Merge, piece: &Piece) {
        let text = match &piece.delta {
            Delta::Sealed(live) => live.chunk.data.delta.b.clone(),
            Delta::Plain(text) => text.clone(),
        };
        let (message, epoch, index, at) = (piece.message, piece.epoch, piece.index, piece.at);
        self.items.push((merge.cursor(), Item::Chunk { message, epoch, index, text, at }));
    }

    /// What must be the same whatever the way: the events in order, and the chunks of the epochs that won, in order.
    fn essence(&self, world: &World) -> (Vec<Sequence>, BTreeMap<MessageId, Vec<Item>>) {
        let mut events = Vec::new();
        let mut chunks: BTreeMap<MessageId, Vec<Item>> = BTreeMap::new();
        let won: Vec<_> =
            world.ends.values().map(|(end, _)| winner(&world.events[usize::try_from(*end).unwrap() - 1])).collect();
        for (_, item) in &self.items {
            match item {
                Item::Event(sequence) => events.push(*sequence),
                Item::Chunk { message, epoch, .. } if won.contains(&(*message, *epoch)) => {
                    chunks.entry(*message).or_default().push(item.clone());
                }
                Item::Chunk { .. } => {}
            }
        }
        (events, chunks)
    }

    fn after(&self, place: usize) -> Self {
        Self { items: self.items[place + 1..].to_vec() }
    }

    /// No chunk stands before its `AgentStarted`, after its end or before the event that it came after; none is missing before the end,
    /// or that of its model call.
    fn check_order(&self, world: &World) {
        let mut open: BTreeMap<MessageId, (u32, u32)> = BTreeMap::new();
        let mut runs = BTreeMap::new();
        let mut sequence = 0;
        for (_, item) in &self.items {
            match item {
                Item::Event(next) => {
                    assert_eq!(*next, sequence + 1);
                    sequence = *next;
                    let event = &world.events[usize::try_from(sequence).unwrap() - 1];
                    if let Some(ConversationEvent::AgentStarted(started)) = &event.event {
                        open.insert(started.message, (started.epoch, 0));
                        runs.insert(started.run, started.message);
                    } else if let Some((run, ..)) = event.said() {
                        assert_eq!(open[&runs[&run]].1 as usize, world.said[&sequence].end());
                    } else if let Some(end) = event.end() {
                        let (_, next) = open.remove(&end.message).unwrap();
                        let all = world
                            .chunks
                            .iter()
                            .filter(|live| (live.chunk.data.message, live.chunk.data.epoch) == winner(event));
                        assert_eq!(next as usize, all.count());
                    }
                }
                Item::Chunk { message, epoch, index, .. } => {
                    let (of, next) = open.get_mut(message).unwrap();
                    assert_eq!((*epoch, *index), (*of, *next));
                    *next += 1;
                    let live = world.chunks.iter().map(|live| &live.chunk.data);
                    let chunk =
                        live.clone().find(|c| (c.message, c.epoch, c.index) == (*message, *epoch, *index)).unwrap();
                    assert!(chunk.after <= sequence);
                }
            }
        }
    }
}

fn winner(end: &LiveEvent) -> (MessageId, u32) {
    match end.event.as_ref().unwrap() {
        ConversationEvent::MessageCompleted(end) => (end.message, end.epoch),
        ConversationEvent::MessageFailed(end) => (end.message, end.epoch),
        ConversationEvent::MessageStopped(end) => (end.message, end.epoch),
        _ => panic!("no end"),
    }
}

/// How many chunks are on the log once the event `until` is, at least: no message ends before its chunks were produced.
fn produced(world: &World, until: Sequence) -> usize {
    let ended =
        |message| world.ends.iter().any(|(started, (end, _))| *end <= until && opened(world, *started) == message);
    world.chunks.iter().rposition(|live| ended(live.chunk.data.message)).map_or(0, |last| last + 1)
}

fn opened(world: &World, started: Sequence) -> MessageId {
    match &world.events[usize::try_from(started).unwrap() - 1].event {
        Some(ConversationEvent::AgentStarted(event)) => event.message,
        _ => panic!("no AgentStarted"),
    }
}

fn read_back(cursor: &Cursor) -> Cursor {
    cursor.to_string().parse().unwrap()
}

#[test]
fn a_replay_from_every_cursor_is_the_rest_of_the_replay_word_by_word() {
    for seed in 0..100 {
        let world = World::random(&mut Dice::new(seed), 3);
        let mut first = Seen::default();
        let all = world.chunks.len();
        world.fill(&mut world.merge_at(&Cursor::at(0)), world.last(), all, &mut first);
        first.check_order(&world);
        for place in 0..first.items.len() {
            let mut rest = Seen::default();
            world.fill(&mut world.merge_at(&read_back(&first.items[place].0)), world.last(), all, &mut rest);
            assert_eq!(rest.items, first.items[place + 1..], "seed {seed}, place {place}");
        }
    }
}

#[test]
fn whatever_way_a_reader_resumes_it_sees_the_rest_of_what_it_saw_live() {
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let mut world = World::random(&mut dice, 2);
        world.forgets = seed % 2 == 1;
        let mut first = Seen::default();
        world.live(&mut world.merge_at(&Cursor::at(0)), 0, 0, &mut dice, &mut first);
        first.check_order(&world);
        assert_eq!(first.items.iter().filter(|(_, item)| matches!(item, Item::Event(_))).count(), world.events.len());
        for place in 0..first.items.len() {
            let cursor = read_back(&first.items[place].0);
            let wanted = first.after(place).essence(&world);
            // Up to some moment from store and log, from then on live; at its ends: live alone, records alone.
            let least = cursor.sequence;
            for until in [
                least,
                least + dice.below(usize::try_from(world.last() - least).unwrap() + 1) as Sequence,
                world.last(),
            ] {
                let delivered = world.chunks.iter().position(|live| {
                    let data = &live.chunk.data;
                    first.after(place).items.iter().any(|(_, item)| matches!(item, Item::Chunk { message, epoch, index, .. } if (*message, *epoch, *index) == (data.message, data.epoch, data.index)))
                });
                let least_logged = produced(&world, until).max(delivered.unwrap_or(0));
                let logged = least_logged + dice.below(world.chunks.len() - least_logged + 1);
                let (mut merge, mut rest) = (world.merge_at(&cursor), Seen::default());
                world.fill(&mut merge, until, logged, &mut rest);
                // The ring was joined before the fill, so it repeats a part of it.
                let (events, chunks) =
                    (dice.below(usize::try_from(until).unwrap() + 1) as Sequence, dice.below(logged + 1));
                world.live(&mut merge, events.min(until), chunks, &mut dice, &mut rest);
                assert_eq!(rest.essence(&world), wanted, "seed {seed}, place {place}, until {until}");
                let contiguous = rest.items.iter().all(|(cursor, _)| cursor.sequence >= least);
                assert!(contiguous);
            }
        }
    }
}

#[test]
fn events_that_come_by_before_their_chunks_change_no_cursor() {
    for seed in 0..100 {
        let mut dice = Dice::new(seed);
        let mut world = World::random(&mut dice, 0);
        world.answer(&mut dice);
        let (mut live, mut replay) = (Seen::default(), Seen::default());
        let mut merge = world.merge_at(&Cursor::at(0));
        for event in &world.events {
            merge.event(event.clone());
            world.drain(&mut merge, &mut live);
        }
        world.fill(&mut world.merge_at(&Cursor::at(0)), world.last(), world.chunks.len(), &mut replay);
        assert_eq!(live.items, replay.items, "seed {seed}");
    }
}

#[test]
fn a_bare_cursor_in_mid_message_gives_the_chunks_that_came_after_its_event() {
    for seed in 0..100 {
        let world = World::random(&mut Dice::new(seed), 3);
        for sequence in 0..=world.last() {
            let mut rest = Seen::default();
            world.fill(&mut world.merge_at(&Cursor::at(sequence)), world.last(), world.chunks.len(), &mut rest);
            let (events, chunks) = rest.essence(&world);
            assert_eq!(events, (sequence + 1..=world.last()).collect::<Vec<_>>());
            for (end, _) in world.ends.values() {
                let (message, epoch) = winner(&world.events[usize::try_from(*end).unwrap() - 1]);
                let wanted = world.chunks.iter().map(|live| &live.chunk.data);
                let wanted = wanted.filter(|chunk| {
                    (chunk.message, chunk.epoch) == (message, epoch) && chunk.after >= sequence && *end > sequence
                });
                let got = chunks.get(&message).map_or(0, Vec::len);
                assert_eq!(got, wanted.count(), "seed {seed}, from {sequence}");
            }
        }
    }
}

#[test]
fn a_missing_event_is_asked_for_and_a_chunk_waits_for_the_event_it_came_after() {
    let mut dice = Dice::new(3);
    let mut world = World::random(&mut dice, 0);
    world.say(3);
    let mut merge = world.merge_at(&Cursor::at(1));
    merge.event(world.events[2].clone());
    assert!(matches!(merge.step(), Step::Gap));
    assert!(merge.holds());
    merge.event(world.events[1].clone());
    assert!(matches!(merge.step(), Step::Event(event) if event.sequence() == 2));
    assert!(matches!(merge.step(), Step::Event(event) if event.sequence() == 3));
    assert!(matches!(merge.step(), Step::Wait));
    assert!(!merge.holds());
}
