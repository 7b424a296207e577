//! A model call for a title ends, whatever became of it. A title that a person gave meanwhile stays.

use events::Sealed;
use events::event::{ConversationRenamed, ModelCallEnded};

use super::{CallEnd, Decision, only_short_titles};
use crate::conversation::Conversation;
use crate::error::Refusal;

/// End a model call for a title.
#[derive(Clone, Debug)]
pub struct EndTitle {
    /// The call.
    pub call: CallEnd,
    /// The title, if something came of it, field `title` of the conversation.
    pub title: Option<Sealed>,
    /// How many characters it has.
    pub title_chars: usize,
}

impl EndTitle {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        let titling = &state.titling;
        let is_open = titling.open_call.as_ref().is_some_and(|open| open.call == self.call.call);
        let run = titling.run.filter(|_| is_open).ok_or(Refusal::Stale)?;
        only_short_titles(self.title_chars)?;
        let CallEnd { call, outcome, spent, cached } = self.call.clone();
        let ended = ModelCallEnded { call, run, outcome, spent, cached, said: None };
        let title = self.title.clone().filter(|_| state.title.is_none() && !state.archived);
        // The call first: who sees the title finds its cost counted.
        let renamed = title.map(|title| ConversationRenamed { title }.into());
        Ok(std::iter::once(ended.into()).chain(renamed).collect())
    }
}

#[cfg(test)]
mod tests {
    use events::ConversationEvent;
    use events::event::CallOutcome;

    use super::*;
    use crate::rules::code;
    use crate::tests::fixtures::{
        TITLE, archived, call, call_end, facts, first_exchange, given, refusal, sealed, title_call_ended,
        title_call_started,
    };

    fn asked() -> Vec<ConversationEvent> {
        first_exchange().into_iter().chain([title_call_started(1)]).collect()
    }

    fn end(title: Option<&str>) -> EndTitle {
        let call = call_end(call(TITLE, 1), CallOutcome::Completed);
        EndTitle { call, title: title.map(sealed), title_chars: title.map_or(0, str::len) }
    }

    fn renamed(title: &str) -> ConversationEvent {
        ConversationRenamed { title: sealed(title) }.into()
    }

    #[test]
    fn the_call_ends_and_the_conversation_has_its_title() {
        let expected = facts([title_call_ended(1, CallOutcome::Completed), renamed("Tea")]);
        given(asked()).when(end(Some("Tea")).into()).then_expect_events(expected);
    }

    #[test]
    fn a_title_that_a_person_gave_meanwhile_stays_and_the_call_counts() {
        for meanwhile in [renamed("Theirs"), archived()] {
            let expected = facts([title_call_ended(1, CallOutcome::Completed)]);
            given(asked()).and(facts([meanwhile])).when(end(Some("Tea")).into()).then_expect_events(expected);
        }
    }

    #[test]
    fn a_call_that_brought_no_title_ends_all_the_same() {
        let expected = facts([title_call_ended(1, CallOutcome::Completed)]);
        given(asked()).when(end(None).into()).then_expect_events(expected);
    }

    #[test]
    fn only_the_open_call_ends_and_once() {
        assert_eq!(refusal(given(first_exchange()).when(end(None).into())), "STALE");
        let over = given(asked()).and(facts([title_call_ended(1, CallOutcome::Abandoned)]));
        assert_eq!(refusal(over.when(end(Some("Tea")).into())), "STALE");
        let taken_over = facts([title_call_ended(1, CallOutcome::Abandoned), title_call_started(2)]);
        assert_eq!(refusal(given(asked()).and(taken_over).when(end(Some("Tea")).into())), "STALE");
    }

    #[test]
    fn a_title_over_its_limit_is_refused() {
        let long = EndTitle { title_chars: 201, ..end(Some("Tea")) };
        assert_eq!(refusal(given(asked()).when(long.into())), code::TITLE_TOO_LONG);
    }
}
