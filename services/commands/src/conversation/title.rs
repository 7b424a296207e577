//! What a conversation without a title can get one from, and what was done for that.

use events::event::{ModelCallEnded, ModelCallStarted, Spent};
use events::{MessageId, PersonId, RunId, Sequence};
use serde::{Deserialize, Serialize};

use super::{Conversation, OpenCall};

/// Model calls for a title, failed and abandoned ones too.
pub const TITLE_CALLS: u32 = 2;

/// The first message of a conversation, and the first answer of a turn that completed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The message.
    pub message: MessageId,
    /// Who sent it: the title is sealed under their key.
    pub author: PersonId,
    /// Sequence of its `MessageSent`.
    pub sequence: Sequence,
    /// Sequence of the answer's `MessageCompleted`.
    pub answer: Option<Sequence>,
}

/// What was done for a title that no person gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Titling {
    /// The run of its calls, which stands in no plan.
    pub run: Option<RunId>,
    /// Model calls that have begun.
    pub calls: u32,
    /// The one that has not ended.
    pub open_call: Option<OpenCall>,
    /// What those took that have ended.
    pub spent: Spent,
}

impl Titling {
    pub(super) fn call_started(&mut self, event: ModelCallStarted) {
        self.run = Some(event.run);
        self.calls = self.calls.saturating_add(1);
        self.open_call = Some(OpenCall::of(event));
    }

    /// Whether it was a call for a title.
    pub(super) fn call_ended(&mut self, event: &ModelCallEnded) -> bool {
        let is_ours = self.run == Some(event.run);
        if is_ours {
            self.spent = self.spent.plus(&event.spent);
            self.open_call = None;
        }
        is_ours
    }
}

impl Conversation {
    /// Whether a model may be asked for a title, at once or as soon as the call that is open has ended without one.
    #[must_use]
    pub fn lacks_title(&self) -> bool {
        let is_answered = self.opening.is_some_and(|opening| opening.answer.is_some());
        self.title.is_none() && !self.archived && is_answered && self.titling.calls < TITLE_CALLS
    }

    pub(super) fn answer_completed(&mut self, run: RunId) {
        let sequence = self.sequence;
        self.turn(|turn| turn.run_mut(run).into_iter().for_each(|run| run.completed = sequence));
    }

    /// The first turn that completes has the answer.
    pub(super) fn turn_completed(&mut self) {
        let answer = self.turn.as_ref().and_then(|turn| turn.last_step()).map(|step| step.completed);
        if let Some(opening) = &mut self.opening {
            opening.answer = opening.answer.or(answer.filter(|answer| *answer > opening.sequence));
        }
        self.turn_ended();
    }

    /// What was rolled back is shown to no model; the message that waits next takes its place.
    pub(super) fn undo_opening(&mut self, message: Option<MessageId>) {
        let is_it = |opening: &Opening| Some(opening.message) == message && opening.answer.is_none();
        if self.opening.as_ref().is_some_and(is_it) {
            self.opening = self.waiting.first().map(|next| Opening {
                message: next.message,
                author: next.author,
                sequence: next.sequence,
                answer: None,
            });
        }
    }
}
