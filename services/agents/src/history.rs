//! What was said in a conversation, read backwards until a model would be shown no more of it.

use std::collections::HashMap;

use events::event::{MessageCompleted, MessageSent, TurnPlanned, TurnStarted};
use events::{ConversationEvent, Decoded, Field, MessageId, RunId, Sealed, Sequence, TurnId};

use commands::{Loaded, Turn};

use crate::context::Context;
use crate::prompt::{Past, Role};
use crate::{Error, Result};

/// Events of one read.
const PAGE: usize = 256;

/// The past of a turn.
pub(crate) struct History {
    pub(crate) past: Vec<Past>,
    /// Up to where persons' messages count: the message that is answered, or the plan where there is none.
    pub(crate) limit: Sequence,
    /// The message that is answered cannot be opened any more.
    pub(crate) is_erased: bool,
}

/// Reads what a turn's prompt is made of.
pub(crate) async fn read(context: &Context, loaded: &Loaded, turn: &Turn, budget: usize) -> Result<History> {
    let mut reader = Reader::new(context, loaded);
    let mut before = loaded.sequence + 1;
    while before > 1 {
        let page = context.store.load_before(loaded.id, before, PAGE).await?;
        let Some(first) = page.first() else { break };
        before = first.sequence;
        for record in page.into_iter().rev() {
            if let Ok(Decoded::Known(event)) = record.event() {
                reader.take(record.sequence, event).await?;
            }
        }
        let limit = reader.limit(turn);
        if limit.is_some_and(|limit| reader.bytes(before, limit) > budget) {
            break;
        }
    }
    let limit = reader.limit(turn).unwrap_or(turn.sequence);
    let is_erased = turn.message.is_some() && !reader.said.iter().any(|said| said.sequence == limit);
    Ok(History { past: reader.past(), limit, is_erased })
}

struct Reader<'a> {
    context: &'a Context,
    loaded: &'a Loaded,
    said: Vec<Past>,
    answers: Vec<(RunId, Past)>,
    plans: HashMap<RunId, (TurnId, Sequence)>,
    turns: HashMap<TurnId, Option<MessageId>>,
    sent: HashMap<MessageId, Sequence>,
}

impl<'a> Reader<'a> {
    fn new(context: &'a Context, loaded: &'a Loaded) -> Self {
        Self {
            context,
            loaded,
            said: Vec::new(),
            answers: Vec::new(),
            plans: HashMap::new(),
            turns: HashMap::new(),
            sent: HashMap::new(),
        }
    }

    async fn take(&mut self, sequence: Sequence, event: ConversationEvent) -> Result<()> {
        match event {
            ConversationEvent::MessageSent(MessageSent { message, text, .. }) => {
                self.sent.insert(message, sequence);
                if let Some(text) = self.open(message, &text).await? {
                    self.said.push(Past { anchor: sequence, sequence, role: Role::User, text });
                }
            }
            ConversationEvent::MessageCompleted(MessageCompleted { message, run, text, .. }) => {
                if let Some(text) = self.open(message, &text).await? {
                    self.answers.push((run, Past { anchor: 0, sequence, role: Role::Assistant, text }));
                }
            }
            ConversationEvent::TurnPlanned(TurnPlanned { turn, runs, .. }) => {
                self.plans.extend(runs.into_iter().map(|planned| (planned.run, (turn, sequence))));
            }
            ConversationEvent::TurnStarted(TurnStarted { turn, message, .. }) => {
                self.turns.insert(turn, message);
            }
            _ => {}
        }
        Ok(())
    }

    async fn open(&self, message: MessageId, text: &Sealed) -> Result<Option<String>> {
        let field = Field::new(&self.loaded.tenant, self.loaded.id, message, "text");
        self.context.keyring.open(text, &field).await.map_err(Error::from)
    }

    /// Where persons' messages end for this turn, as soon as that has been read.
    fn limit(&self, turn: &Turn) -> Option<Sequence> {
        match turn.message {
            Some(message) => self.sent.get(&message).copied(),
            // Both events are of one append.
            None => Some(turn.sequence + 1),
        }
    }

    /// Where an answer belongs, as soon as that has been read.
    fn anchor(&self, run: RunId) -> Option<Sequence> {
        let (turn, planned) = self.plans.get(&run)?;
        match self.turns.get(turn)? {
            Some(message) => self.sent.get(message).copied(),
            None => Some(*planned),
        }
    }

    /// Bytes of all that belongs between `from` and `limit`; of that nothing is missing once `from` has been read.
    fn bytes(&self, from: Sequence, limit: Sequence) -> usize {
        let between = |anchor: Sequence| anchor >= from && anchor <= limit;
        let said = self.said.iter().filter(|said| between(said.anchor)).map(|said| said.text.len());
        let answers = self.answers.iter().filter(|(run, _)| self.anchor(*run).is_some_and(between));
        said.sum::<usize>() + answers.map(|(_, answer)| answer.text.len()).sum::<usize>()
    }

    fn past(mut self) -> Vec<Past> {
        let answers = std::mem::take(&mut self.answers);
        let mut past = std::mem::take(&mut self.said);
        past.extend(answers.into_iter().filter_map(|(run, answer)| Some(Past { anchor: self.anchor(run)?, ..answer })));
        past
    }
}
