//! Stories that no rule would allow: what happens to whom is left to chance, so that rows are tried in every order.

use events::event::*;
use events::*;

use super::{Answered, Story, plan, planned_run, sealed};
use crate::testing::cost;

/// A small generator (xorshift): the same seed, the same story.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % limit as u64).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.below(of.len())])
    }
}

#[derive(Default)]
struct Known {
    questions: Vec<MessageId>,
    turns: Vec<TurnId>,
    runs: Vec<Answered>,
    calls: Vec<CallId>,
}

impl Story {
    pub(crate) fn random(seed: u64, events: usize) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (mut story, mut known) = (Self::new(), Known::default());
        while story.records.len() < events {
            match dice.below(3) {
                0 => story.random_turn(&mut dice, &mut known),
                1 => story.random_run(&mut dice, &mut known),
                _ => story.random_call(&mut dice, &mut known),
            }
        }
        story
    }

    fn random_turn(&mut self, dice: &mut Dice, known: &mut Known) {
        let turn = dice.one(&known.turns);
        match (dice.below(6), turn) {
            (0 | 1, _) | (_, None) => {
                let turn = TurnId::generate();
                let steers = dice.one(&known.turns).filter(|_| dice.below(3) == 0);
                known.questions.push(self.send("text", Some(turn), steers));
                known.turns.push(turn);
            }
            (2, Some(turn)) => {
                let regenerates = dice.one(&known.runs).map(|ids| ids.answer).filter(|_| dice.below(2) == 0);
                let (message, person) = (dice.one(&known.questions), self.person);
                self.tell(TurnStarted { turn, message, person, regenerates });
            }
            (3, Some(turn)) => self.random_plan(dice, known, turn),
            (4, Some(turn)) => drop(self.tell(TurnCompleted { turn })),
            (_, Some(turn)) => self.stop_turn(turn, dice.below(2) == 0),
        }
    }

    fn random_plan(&mut self, dice: &mut Dice, known: &mut Known, turn: TurnId) {
        let mut runs: Vec<PlannedRun> = Vec::new();
        for _ in 0..=dice.below(3) {
            let after = runs.iter().map(|run| run.run).filter(|_| dice.below(2) == 0).collect();
            let asked_by = dice.one(&known.calls).filter(|_| dice.below(3) == 0);
            runs.push(PlannedRun { after, asked_by, ..planned_run() });
        }
        known.runs.extend(runs.iter().map(|run| Answered { answer: run.message, turn, run: run.run }));
        let kind = if dice.below(3) == 0 { PlanKind::Asked } else { PlanKind::Model };
        self.tell(TurnPlanned { kind, more: dice.below(2) == 0, ..plan(turn, runs) });
    }

    fn random_run(&mut self, dice: &mut Dice, known: &mut Known) {
        let Some(ids) = dice.one(&known.runs) else { return };
        match dice.below(8) {
            0..=2 => drop(self.claim(ids, 1)),
            3 | 4 => self.call_ends(ids, CallOutcome::Abandoned, cost("0.125")),
            5 => self.complete_run(ids, 1, 1, cost("0.125")),
            6 => self.fail_run(ids, 1, 1),
            _ => self.stop_run(ids, 1, 1),
        }
    }

    fn random_call(&mut self, dice: &mut Dice, known: &mut Known) {
        let (Some(ids), call) = (dice.one(&known.runs), dice.one(&known.calls)) else { return };
        match (dice.below(9), call) {
            (0..=2, _) | (_, None) => known.calls.push(self.want(ids, dice.below(2) == 0)),
            (3, Some(call)) => self.approve(call, None),
            (4, Some(call)) => self.reject(call, RejectionCause::Person),
            (5, Some(call)) => drop(self.tell(ToolCallStarted { call, epoch: 1 })),
            (6, Some(call)) => drop(self.tell(ToolCallFailed { call, error: sealed("no") })),
            (7, Some(call)) => drop(self.tell(ToolCallUncertain { call, error: None })),
            (_, Some(call)) => self.use_tool(call),
        }
    }
}
