//! A model is asked for a title, from the first message and its answer: where nobody gave one, and twice at most.

use events::RunId;
use events::event::{CallPurpose, Cost};

use super::{Decision, NewCall, only_affordable, only_open};
use crate::conversation::Conversation;
use crate::error::Refusal;

/// Ask a model for a title.
#[derive(Clone, Debug)]
pub struct BeginTitle {
    /// The run of its calls, if there was none yet; no plan names it.
    pub run: RunId,
    /// The call that begins. What both calls cost has the limit that a turn has.
    pub call: NewCall,
}

impl BeginTitle {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_open(state)?;
        let titling = &state.titling;
        if !state.lacks_title() || titling.open_call.is_some() || self.call.attempt != titling.calls + 1 {
            return Err(Refusal::Stale);
        }
        only_affordable(titling.spent.cost.as_ref().map(Cost::decimal).unwrap_or_default(), &self.call)?;
        // Each request is an attempt of its own.
        let (run, epoch) = (titling.run.unwrap_or(self.run), self.call.attempt);
        Ok(vec![self.call.started(run, epoch, CallPurpose::Title).into()])
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::Aggregate;
    use events::ConversationEvent;
    use events::event::{CallOutcome, ConversationRenamed, Spent, TurnStopped};

    use super::*;
    use crate::rules::{Limits, code};
    use crate::tests::fixtures::{
        GUEST, STARTER, TITLE, archived, begun, call, claimed, claimed_in, completed, facts, failed, first_exchange,
        given, message_stopped, new_call, person, planned, refusal, run, sealed, sent, sent_by, spent, started,
        title_call_ended, title_call_started, turn, turn_completed, turn_failed, turn_of,
    };

    fn title(number: u32) -> BeginTitle {
        BeginTitle { run: run(TITLE), call: NewCall { attempt: number, ..new_call(call(TITLE, number)) } }
    }

    fn renamed() -> ConversationEvent {
        ConversationRenamed { title: sealed("theirs") }.into()
    }

    fn running() -> impl Iterator<Item = ConversationEvent> + Clone {
        [started(), sent(1)].into_iter().chain(turn_of(1)).chain(claimed(1, 1))
    }

    fn after(events: impl IntoIterator<Item = ConversationEvent>) -> Conversation {
        let mut state = Conversation::default();
        facts(events).into_iter().for_each(|fact| state.apply(fact));
        state
    }

    #[test]
    fn an_answered_conversation_without_a_title_gets_one() {
        given(first_exchange()).when(title(1).into()).then_expect_events(facts([title_call_started(1)]));
        assert_eq!(refusal(given(first_exchange()).and(facts([renamed()])).when(title(1).into())), "STALE");
        let closed = given(first_exchange()).and(facts([archived()])).when(title(1).into());
        assert_eq!(refusal(closed), code::CONVERSATION_ARCHIVED);
    }

    #[test]
    fn nothing_is_asked_before_a_turn_has_completed() {
        assert_eq!(refusal(given(running()).when(title(1).into())), "STALE");
        let failed = running().chain(failed(1, 1, 5)).chain([turn_failed(1)]);
        assert_eq!(refusal(given(failed).when(title(1).into())), "STALE");
    }

    #[test]
    fn one_call_is_open_at_a_time_and_two_are_all() {
        let asked = || given(first_exchange()).and(facts([title_call_started(1)]));
        assert_eq!(refusal(asked().when(title(2).into())), "STALE");
        let again = || asked().and(facts([title_call_ended(1, CallOutcome::Failed)]));
        assert_eq!(refusal(again().when(title(1).into())), "STALE");
        let of_another_worker = BeginTitle { run: run(7), ..title(2) };
        again().when(of_another_worker.into()).then_expect_events(facts([title_call_started(2)]));
        let over = again().and(facts([title_call_started(2), title_call_ended(2, CallOutcome::Abandoned)]));
        assert_eq!(refusal(over.when(title(3).into())), "STALE");
    }

    #[test]
    fn a_call_that_may_cost_more_than_a_turn_is_not_made() {
        let with = |most: Option<&str>| {
            let mut command = title(1);
            command.call.limits = Limits { calls: 0, cost: Some("1".parse().expect("a decimal")), tokens: None };
            command.call.reserved = most.map(|amount| Cost { amount: amount.into(), currency: "EUR".into() });
            given(first_exchange()).when(command.into())
        };
        assert!(with(Some("1")).inspect_result().is_ok(), "how many calls a turn may make is no matter of a title");
        assert_eq!(refusal(with(Some("1.01"))), code::BUDGET_EXCEEDED);
        assert_eq!(refusal(with(None)), code::BUDGET_EXCEEDED);
    }

    #[test]
    fn the_opening_is_the_first_message_and_the_answer_of_the_first_turn_that_completed() {
        let team = [started(), sent(1), begun(1), planned(1, &[1, 2])].into_iter();
        let team = team.chain(claimed(1, 1)).chain(completed(1, 1, 5));
        let team = team.chain(claimed_in(1, 2, 1)).chain(completed(2, 1, 10));
        let opening = after(team.chain([turn_completed(1), sent(2)])).opening.expect("an opening");
        assert_eq!((opening.author, opening.sequence, opening.answer), (person(STARTER), 2, Some(12)));
    }

    #[test]
    fn a_message_that_was_rolled_back_opens_nothing() {
        let stopped = TurnStopped { turn: turn(1), by: person(STARTER), rolled_back: true }.into();
        let undone = running().chain([sent_by(GUEST, 2), message_stopped(1, 1, 5, spent()), stopped]);
        let opening = after(undone).opening.expect("the message that waits");
        assert_eq!((opening.author, opening.sequence, opening.answer), (person(GUEST), 7, None));
    }

    #[test]
    fn a_turn_counts_no_call_for_a_title() {
        let titled = [title_call_started(1), title_call_ended(1, CallOutcome::Completed)];
        let state = after(first_exchange().into_iter().chain([sent(2)]).chain(turn_of(2)).chain(titled));
        let turn = state.turn.expect("a turn");
        assert_eq!((turn.calls, turn.spent, state.titling.spent), (0, Spent::default(), spent()));
    }
}
