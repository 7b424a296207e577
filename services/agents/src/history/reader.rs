//! One pass backwards over the events; who comes later supersedes who came before.

use std::collections::{HashMap, HashSet};

use events::event::{MessageSent, PlannedRun, TurnPlanned, TurnStarted};
use events::{ConversationEvent, Decoded, Field, MessageId, Record, RunId, Sealed, Sequence, TurnId};

use commands::{Loaded, Run, Stage, Turn};

use super::History;
use super::runs::Runs;
use crate::context::Context;
use crate::prompt::{Line, Past};
use crate::{Error, Result};

/// A person's message.
struct Sent {
    sequence: Sequence,
    turn: Option<TurnId>,
    steers: Option<TurnId>,
    /// `None`: erased.
    text: Option<String>,
    response_schema: Option<String>,
}

/// A planned run, and where it was planned.
struct Planned {
    turn: TurnId,
    sequence: Sequence,
    place: usize,
    is_asked: bool,
}

pub(super) struct Reader<'a> {
    context: &'a Context,
    loaded: &'a Loaded,
    sent: HashMap<MessageId, Sent>,
    runs: Runs,
    plans: HashMap<RunId, Planned>,
    turns: HashMap<TurnId, Option<MessageId>>,
    /// Answers that another turn was to take the place of.
    again: HashMap<TurnId, MessageId>,
    undone: HashSet<TurnId>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(context: &'a Context, loaded: &'a Loaded) -> Self {
        Self {
            context,
            loaded,
            sent: HashMap::new(),
            runs: Runs::default(),
            plans: HashMap::new(),
            turns: HashMap::new(),
            again: HashMap::new(),
            undone: HashSet::new(),
        }
    }

    pub(super) async fn take(&mut self, record: &Record) -> Result<()> {
        use ConversationEvent as E;
        let Ok(Decoded::Known(event)) = record.event() else { return Ok(()) };
        let sequence = record.sequence;
        match event {
            E::MessageSent(event) => self.sent(sequence, event).await?,
            E::TurnPlanned(event) => self.planned(sequence, event),
            E::TurnStarted(TurnStarted { turn, message, regenerates, .. }) => {
                self.turns.insert(turn, message);
                self.again.extend(regenerates.map(|answer| (turn, answer)));
            }
            E::TurnStopped(event) if event.rolled_back => drop(self.undone.insert(event.turn)),
            other => {
                let opener = Opener { context: self.context, loaded: self.loaded };
                self.runs.take(&opener, sequence, other).await?;
            }
        }
        Ok(())
    }

    async fn sent(&mut self, sequence: Sequence, event: MessageSent) -> Result<()> {
        let opener = Opener { context: self.context, loaded: self.loaded };
        let response_schema = match &event.response_schema {
            Some(schema) => opener.open(schema, event.message, "response_schema").await?,
            None => None,
        };
        let text = opener.open(&event.text, event.message, "text").await?;
        let sent = Sent { sequence, turn: event.turn, steers: event.steers, text, response_schema };
        self.sent.insert(event.message, sent);
        Ok(())
    }

    fn planned(&mut self, sequence: Sequence, event: TurnPlanned) {
        let turn = event.turn;
        for (place, PlannedRun { run, asked_by, .. }) in event.runs.into_iter().enumerate() {
            self.plans.insert(run, Planned { turn, sequence, place, is_asked: asked_by.is_some() });
        }
    }

    /// Where persons' messages end for this turn, as soon as that has been read.
    pub(super) fn limit(&self, turn: &Turn) -> Option<Sequence> {
        match turn.message {
            Some(message) => self.sent.get(&message).map(|sent| sent.sequence),
            // Both events are of one append.
            None => Some(turn.sequence + 1),
        }
    }

    /// Where an answer belongs, as soon as that has been read.
    fn anchor(&self, run: RunId) -> Option<Sequence> {
        let planned = self.plans.get(&run)?;
        match self.turns.get(&planned.turn)? {
            Some(message) => self.sent.get(message).map(|sent| sent.sequence),
            None => Some(planned.sequence),
        }
    }

    /// Bytes of all that belongs between `from` and `limit`; of that nothing is missing once `from` has been read.
    pub(super) fn bytes(&self, from: Sequence, limit: Sequence) -> usize {
        let between = |anchor: Sequence| anchor >= from && anchor <= limit;
        let sent = self.sent.values().filter(|sent| between(sent.sequence));
        let sent = sent.map(|sent| sent.text.as_ref().map_or(0, String::len)).sum::<usize>();
        let answers = self.runs.all_ended().filter(|(run, _)| self.anchor(*run).is_some_and(between));
        sent + answers.map(|(_, ended)| ended.text.len()).sum::<usize>()
    }

    pub(super) fn history(self, turn: &Turn, run: &Run) -> Result<History> {
        let limit = self.limit(turn).unwrap_or(turn.sequence);
        let question = turn.message.and_then(|message| self.sent.get(&message));
        let is_erased = turn.message.is_some() && question.is_none_or(|sent| sent.text.is_none());
        let mut past: Vec<Past> =
            self.sent.values().filter(|sent| !self.is_undone(sent)).filter_map(Sent::past).collect();
        past.extend(self.answers(turn));
        let steers = |sent: &&Sent| sent.steers == Some(turn.turn) && sent.sequence > limit;
        Ok(History {
            past,
            limit,
            steering: self.sent.values().filter(steers).filter_map(Sent::past).collect(),
            team: self.team(turn, run),
            so_far: self.runs.steps_of(run.run),
            said: self.runs.said_by(run.run),
            table: self.runs.table(run)?,
            response_schema: question.and_then(|sent| sent.response_schema.clone()),
            is_erased,
        })
    }

    /// Its turn was rolled back, or the turn that read it was.
    fn is_undone(&self, sent: &Sent) -> bool {
        let own = sent.turn.is_some_and(|turn| self.turns.contains_key(&turn));
        let turn = if own { sent.turn } else { sent.steers.or(sent.turn) };
        turn.is_some_and(|turn| self.undone.contains(&turn))
    }

    /// What other turns answered: the last step of each, as long as nothing took its place.
    fn answers(&self, now: &Turn) -> Vec<Past> {
        let mut last: HashMap<TurnId, (Sequence, usize, RunId)> = HashMap::new();
        for (run, planned) in self.plans.iter().filter(|(_, planned)| !planned.is_asked) {
            let here = (planned.sequence, planned.place, *run);
            let there = last.entry(planned.turn).or_insert(here);
            *there = here.max(*there);
        }
        last.retain(|turn, _| !self.undone.contains(turn));
        // Another answer takes the place of one as soon as it is made; while it is being made, the old one is not shown to it.
        let took_place = |turn: &TurnId| match last.get(turn) {
            Some((_, _, run)) => *turn == now.turn || self.runs.end_of(*run).is_some(),
            None => false,
        };
        let superseded: HashSet<_> =
            self.again.iter().filter(|(turn, _)| took_place(turn)).map(|(_, answer)| *answer).collect();
        let shown = last.iter().filter(|(turn, _)| **turn != now.turn);
        let answers = shown.filter_map(|(_, (_, _, run))| {
            let run = *run;
            let ended = self.runs.end_of(run).filter(|ended| !superseded.contains(&ended.message))?;
            Some(Past { anchor: self.anchor(run)?, sequence: ended.sequence, lines: self.runs.lines(run, ended) })
        });
        answers.collect()
    }

    fn team(&self, turn: &Turn, run: &Run) -> Vec<(String, String)> {
        let before = turn.runs.iter().filter(|step| run.after.contains(&step.run));
        let note = |step: &Run| match self.runs.end_of(step.run) {
            Some(ended) if step.stage != Stage::Failed => ended.text.clone(),
            _ => "(This agent failed.)".into(),
        };
        before.map(|step| (step.agent.clone(), note(step))).collect()
    }
}

impl Sent {
    fn past(&self) -> Option<Past> {
        let lines = vec![Line::User(self.text.clone()?)];
        Some(Past { anchor: self.sequence, sequence: self.sequence, lines })
    }
}

/// Opens fields of the conversation.
pub(super) struct Opener<'a> {
    context: &'a Context,
    loaded: &'a Loaded,
}

impl Opener<'_> {
    pub(super) async fn open(
        &self,
        sealed: &Sealed,
        owner: impl std::fmt::Display,
        name: &'static str,
    ) -> Result<Option<String>> {
        let field = Field::new(&self.loaded.tenant, self.loaded.id, owner, name);
        self.context.keyring.open(sealed, &field).await.map_err(Error::from)
    }
}
