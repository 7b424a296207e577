//! A person decides about a tool call that waits. Exactly one decision wins.

use events::event::{RejectionCause, ToolCallApproved, ToolCallRejected};
use events::{CallId, PersonId, Sealed};

use super::{Decision, code, only_participants, reject};
use crate::conversation::{Conversation, ToolStage};

/// Say yes or no to a tool call.
#[derive(Clone, Debug)]
pub struct DecideTool {
    /// Who.
    pub by: PersonId,
    /// Whether they are an administrator of the tenant.
    pub is_admin: bool,
    /// Who may, by the settings.
    pub approvers: Approvers,
    /// The call.
    pub call: CallId,
    /// What they say.
    pub verdict: Verdict,
}

/// Who may decide about tool calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approvers {
    /// Everyone who takes part.
    #[default]
    Participants,
    /// Whose message or wish began the turn.
    Requester,
    /// Participants who are administrators.
    Admins,
}

/// What a person says to a tool call.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Yes; with other arguments where there are some (field `edited` of the call).
    Approved(Option<Sealed>),
    /// Yes, with arguments that the tool does not take, and why.
    Unfit(String),
    /// No, and why (field `reason` of the call).
    Rejected(Option<Sealed>),
}

impl DecideTool {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        let decided = || reject(code::ALREADY_DECIDED, "this tool call does not wait for a decision");
        let (turn, _, tool) = state.tool(self.call).ok_or_else(decided)?;
        let may = match self.approvers {
            Approvers::Participants => true,
            Approvers::Requester => turn.person == self.by,
            Approvers::Admins => self.is_admin,
        };
        if !may {
            return Err(reject(code::NOT_AN_APPROVER, "others decide about this tool call"));
        }
        if !matches!(tool.stage, ToolStage::Waiting(_)) || turn.stop.is_some() {
            return Err(decided());
        }
        let (call, by) = (self.call, self.by);
        Ok(vec![match self.verdict.clone() {
            Verdict::Approved(edited) => ToolCallApproved { call, by, edited }.into(),
            Verdict::Unfit(why) => return Err(reject(code::INVALID_ARGUMENTS, why)),
            Verdict::Rejected(reason) => {
                ToolCallRejected { call, cause: RejectionCause::Person, by: Some(by), reason }.into()
            }
        }])
    }
}

#[cfg(test)]
mod tests {
    use events::ConversationEvent;

    use super::*;
    use crate::tests::fixtures::{
        GUEST, STARTER, STRANGER, added, claimed, facts, given, person, refusal, sealed, sent, started, stop_requested,
        tool, tools_requested, turn_of,
    };

    fn waiting() -> Vec<ConversationEvent> {
        let running = [started(), added(GUEST), sent(1)].into_iter().chain(turn_of(1)).chain(claimed(1, 1));
        running.chain(tools_requested(1, 1, &[1], true, true)).collect()
    }

    fn judge(by: u128, verdict: Verdict) -> DecideTool {
        let by = person(by);
        DecideTool { by, is_admin: false, approvers: Approvers::Participants, call: tool(1), verdict }
    }

    fn yes(by: u128) -> DecideTool {
        judge(by, Verdict::Approved(None))
    }

    #[test]
    fn the_first_decision_wins() {
        let approved = ToolCallApproved { call: tool(1), by: person(GUEST), edited: None };
        given(waiting()).when(yes(GUEST).into()).then_expect_events(facts([approved.clone().into()]));
        let decided = || given(waiting()).and(facts([approved.clone().into()]));
        assert_eq!(refusal(decided().when(yes(STARTER).into())), code::ALREADY_DECIDED);
        assert_eq!(refusal(decided().when(judge(STARTER, Verdict::Rejected(None)).into())), code::ALREADY_DECIDED);
    }

    #[test]
    fn a_no_says_whose_and_why_and_other_arguments_are_kept() {
        let cause = RejectionCause::Person;
        let rejected = ToolCallRejected { call: tool(1), cause, by: Some(person(STARTER)), reason: Some(sealed("no")) };
        let no = judge(STARTER, Verdict::Rejected(Some(sealed("no"))));
        given(waiting()).when(no.into()).then_expect_events(facts([rejected.into()]));
        let edited = ToolCallApproved { call: tool(1), by: person(STARTER), edited: Some(sealed("{}")) };
        let other = judge(STARTER, Verdict::Approved(Some(sealed("{}"))));
        given(waiting()).when(other.into()).then_expect_events(facts([edited.into()]));
    }

    #[test]
    fn arguments_that_the_tool_does_not_take_decide_nothing() {
        let unfit = || judge(STARTER, Verdict::Unfit("needs a page".into()));
        assert_eq!(refusal(given(waiting()).when(unfit().into())), code::INVALID_ARGUMENTS);
        let approved = ToolCallApproved { call: tool(1), by: person(GUEST), edited: None };
        let decided = given(waiting()).and(facts([approved.into()]));
        assert_eq!(refusal(decided.when(unfit().into())), code::ALREADY_DECIDED);
    }

    #[test]
    fn the_settings_say_who_may() {
        let by_requester = DecideTool { approvers: Approvers::Requester, ..yes(GUEST) };
        assert_eq!(refusal(given(waiting()).when(by_requester.into())), code::NOT_AN_APPROVER);
        let by_admin = DecideTool { approvers: Approvers::Admins, ..yes(GUEST) };
        assert_eq!(refusal(given(waiting()).when(by_admin.clone().into())), code::NOT_AN_APPROVER);
        let admin = DecideTool { is_admin: true, ..by_admin };
        assert!(given(waiting()).when(admin.into()).inspect_result().is_ok());
        assert_eq!(refusal(given(waiting()).when(yes(STRANGER).into())), "NOT_FOUND");
    }

    #[test]
    fn what_does_not_wait_cannot_be_decided() {
        let unknown = DecideTool { call: tool(7), ..yes(STARTER) };
        assert_eq!(refusal(given(waiting()).when(unknown.into())), code::ALREADY_DECIDED);
        let stopping = given(waiting()).and(facts([stop_requested(1)]));
        assert_eq!(refusal(stopping.when(yes(STARTER).into())), code::ALREADY_DECIDED);
    }
}
