use events::event::*;
use events::{CallId, RunId, TurnId};

use super::super::tests::fold;
use super::*;
use crate::rows::MessageStatus;
use crate::testing::{Answered, Story, cost, plan, planned_run, sealed, time};

fn turn_status(story: &Story, turn: TurnId) -> RunStatus {
    fold(story).turns.rows[&turn].status
}

fn run_status(story: &Story, run: RunId) -> RunStatus {
    fold(story).runs.rows[&run].status
}

fn call(story: &Story, call: CallId) -> ToolCallRow {
    fold(story).tool_calls.rows[&call].clone()
}

/// A question that is being answered by a team of so many.
fn team(size: usize) -> (Story, Vec<Answered>) {
    let mut story = Story::new();
    let turn = TurnId::generate();
    let question = story.send("team", Some(turn), None);
    let team = story.team(turn, question, size);
    (story, team)
}

#[test]
fn a_message_s_turn_is_queued_at_once_and_keeps_its_place() {
    let mut story = Story::new();
    let turn = TurnId::generate();
    let question = story.send("hello", Some(turn), None);
    story.say("between");
    let queued = fold(&story).turns.rows[&turn].clone();
    assert_eq!((queued.status, queued.message, queued.person), (RunStatus::Queued, Some(question), story.person));
    assert_eq!((queued.sequence, queued.started_at, queued.plan_kind), (2, time(2), None));
    story.plan_in(turn, question);
    let running = fold(&story).turns.rows[&turn].clone();
    assert_eq!((running.status, running.sequence, running.started_at), (RunStatus::Running, 2, time(4)));
}

#[test]
fn what_steers_a_turn_has_one_of_its_own_only_when_that_begins() {
    let (mut story, team) = team(1);
    let own = TurnId::generate();
    let question = story.send("also", Some(own), Some(team[0].turn));
    assert!(!fold(&story).turns.rows.contains_key(&own));
    story.plan_in(own, question);
    let begun = fold(&story).turns.rows[&own].clone();
    assert_eq!((begun.status, begun.sequence), (RunStatus::Running, 6));
}

#[test]
fn a_queued_turn_that_is_stopped_leaves_the_queue() {
    let mut story = Story::new();
    let turn = TurnId::generate();
    story.send("hello", Some(turn), None);
    story.stop_turn(turn, false);
    let row = fold(&story).turns.rows[&turn].clone();
    assert_eq!((row.status, row.ended_at, row.rolled_back), (RunStatus::Stopped, Some(time(3)), false));
}

#[test]
fn positions_go_on_counting_over_the_plans_of_a_turn() {
    let (mut story, team) = team(2);
    let turn = team[0].turn;
    let asked = PlannedRun { asked_by: Some(CallId::generate()), ..planned_run() };
    let last = planned_run();
    story.tell(TurnPlanned { kind: PlanKind::Asked, ..plan(turn, vec![asked.clone()]) });
    let by_model = plan(turn, vec![last.clone()]);
    story.tell(TurnPlanned { kind: PlanKind::Model, more: true, reason: sealed("next"), ..by_model });
    let rows = fold(&story);
    let positions: Vec<_> =
        [team[0].run, team[1].run, asked.run, last.run].map(|run| rows.runs.rows[&run].position).into();
    assert_eq!(positions, [0, 1, 2, 3]);
    let row = &rows.turns.rows[&turn];
    assert_eq!((row.answer, row.more), (Some(last.message), true));
    assert_eq!((row.plan_kind, row.plan_reason.clone()), (Some(PlanKind::Model), Some(sealed("next"))));
    assert_eq!(rows.messages.rows[&last.message].position, 0);
}

#[test]
fn an_answer_that_another_agent_asked_for_is_not_the_turn_s() {
    let (mut story, team) = team(1);
    let asked = PlannedRun { asked_by: Some(CallId::generate()), ..planned_run() };
    story.tell(TurnPlanned { kind: PlanKind::Asked, ..plan(team[0].turn, vec![asked]) });
    let row = fold(&story).turns.rows[&team[0].turn].clone();
    assert_eq!((row.answer, row.plan_kind), (Some(team[0].answer), Some(PlanKind::Fixed)));
}

#[test]
fn a_run_is_queued_until_those_before_it_have_ended_well_or_badly() {
    let (mut story, team) = team(3);
    let statuses = |story: &Story| team.iter().map(|ids| run_status(story, ids.run)).collect::<Vec<_>>();
    assert_eq!(statuses(&story), [RunStatus::Running, RunStatus::Queued, RunStatus::Queued]);
    let started = story.claim(team[0], 1);
    story.fail_run(team[0], 1, started);
    assert_eq!(statuses(&story), [RunStatus::Failed, RunStatus::Running, RunStatus::Queued]);
}

#[test]
fn run_and_turn_wait_while_a_person_has_to_decide() {
    let (mut story, team) = team(2);
    let (turn, run) = (team[0].turn, team[0].run);
    story.claim(team[0], 1);
    let first = story.want(team[0], true);
    let second = story.want(team[0], true);
    assert_eq!((run_status(&story, run), turn_status(&story, turn)), (RunStatus::Waiting, RunStatus::Waiting));
    story.approve(first, None);
    assert_eq!((run_status(&story, run), turn_status(&story, turn)), (RunStatus::Waiting, RunStatus::Waiting));
    story.reject(second, RejectionCause::Person);
    assert_eq!((run_status(&story, run), turn_status(&story, turn)), (RunStatus::Running, RunStatus::Running));
}

#[test]
fn a_turn_does_not_wait_while_another_of_its_runs_goes_on() {
    let mut story = Story::new();
    let turn = TurnId::generate();
    let question = story.send("both", Some(turn), None);
    let (one, other) = (planned_run(), planned_run());
    story.tell(TurnStarted { turn, message: Some(question), person: story.person, regenerates: None });
    story.tell(plan(turn, vec![one.clone(), other.clone()]));
    let ids = |run: &PlannedRun| Answered { answer: run.message, turn, run: run.run };
    story.claim(ids(&one), 1);
    let started = story.claim(ids(&other), 1);
    story.want(ids(&one), true);
    assert_eq!((run_status(&story, one.run), turn_status(&story, turn)), (RunStatus::Waiting, RunStatus::Running));
    story.complete_run(ids(&other), 1, started, Spent::default());
    assert_eq!(turn_status(&story, turn), RunStatus::Waiting);
}

#[test]
fn a_tool_call_goes_from_wish_to_result() {
    let (mut story, team) = team(1);
    let id = story.want(team[0], true);
    let wanted = call(&story, id);
    assert_eq!((wanted.status, wanted.expires_at, wanted.sequence), (ToolCallStatus::Waiting, Some(time(999)), 5));
    assert_eq!((wanted.run, wanted.turn, wanted.arguments), (team[0].run, team[0].turn, sealed("arguments")));
    story.approve(id, Some(sealed("edited")));
    let allowed = call(&story, id);
    assert_eq!((allowed.status, allowed.decided_by), (ToolCallStatus::Requested, Some(story.person)));
    assert_eq!(allowed.edited, Some(sealed("edited")));
    story.tell(ToolCallStarted { call: id, epoch: 2 });
    assert_eq!((call(&story, id).status, call(&story, id).epoch), (ToolCallStatus::Running, 2));
    story.tell(ToolCallCompleted { call: id, result: sealed("found"), provenance: None, cached: true });
    let done = call(&story, id);
    assert_eq!((done.status, done.result, done.cached), (ToolCallStatus::Completed, Some(sealed("found")), true));
    assert_eq!(done.ended_at, Some(time(8)));
}

#[test]
fn a_tool_call_that_does_not_take_place_says_how_that_came() {
    let (mut story, team) = team(1);
    let calls: Vec<_> = (0..5).map(|_| story.want(team[0], true)).collect();
    story.reject(calls[0], RejectionCause::Person);
    story.reject(calls[1], RejectionCause::Expired);
    story.reject(calls[2], RejectionCause::Denied);
    story.tell(ToolCallFailed { call: calls[3], error: sealed("no such page") });
    story.tell(ToolCallUncertain { call: calls[4], error: Some(sealed("cut")) });
    let rows: Vec<_> = calls.iter().map(|id| call(&story, *id)).collect();
    let statuses: Vec<_> = rows.iter().map(|row| row.status).collect();
    use ToolCallStatus::{Expired, Failed, Rejected, Uncertain};
    assert_eq!(statuses, [Rejected, Expired, Rejected, Failed, Uncertain]);
    assert_eq!((rows[0].decided_by, rows[0].reason.clone()), (Some(story.person), Some(sealed("no"))));
    assert_eq!((rows[1].decided_by, rows[2].decided_by), (None, None));
    assert_eq!((rows[3].error.clone(), rows[4].error.clone()), (Some(sealed("no such page")), Some(sealed("cut"))));
}

#[test]
fn what_had_not_ended_is_cancelled_with_its_run_or_its_turn() {
    let (mut story, team) = team(2);
    let started = story.claim(team[0], 1);
    let (waits, runs, over) = (story.want(team[0], true), story.want(team[0], false), story.want(team[0], false));
    story.tell(ToolCallStarted { call: runs, epoch: 1 });
    story.use_tool(over);
    let others = story.want(team[1], true);
    story.stop_run(team[0], 1, started);
    let statuses = |story: &Story| [waits, runs, over, others].map(|id| call(story, id).status);
    use ToolCallStatus::{Cancelled, Completed, Waiting};
    assert_eq!(statuses(&story), [Cancelled, Cancelled, Completed, Waiting]);
    story.stop_turn(team[0].turn, true);
    assert_eq!(statuses(&story), [Cancelled, Cancelled, Completed, Cancelled]);
}

#[test]
fn a_stopped_answer_keeps_its_text_and_the_turn_says_whether_it_counts() {
    let (mut story, team) = team(1);
    let started = story.claim(team[0], 1);
    story.tell(StopRequested { turn: team[0].turn, by: story.person, roll_back: true });
    assert_eq!(turn_status(&story, team[0].turn), RunStatus::Running);
    story.stop_run(team[0], 1, started);
    story.stop_turn(team[0].turn, true);
    let rows = fold(&story);
    let (message, turn) = (&rows.messages.rows[&team[0].answer], &rows.turns.rows[&team[0].turn]);
    assert_eq!((message.status, message.text.clone()), (MessageStatus::Stopped, Some(sealed("an"))));
    assert_eq!((rows.runs.rows[&team[0].run].status, turn.status), (RunStatus::Stopped, RunStatus::Stopped));
    assert!(turn.rolled_back);
}

#[test]
fn what_every_call_took_is_in_the_sums_as_it_ends() {
    let (mut story, team) = team(2);
    let started = story.claim(team[0], 1);
    let outcomes = [CallOutcome::Abandoned, CallOutcome::Failed, CallOutcome::Completed];
    let mut sum = Spent::default();
    for (outcome, amount) in outcomes.into_iter().zip(["0.1", "0.2", "1"]) {
        let estimated = outcome == CallOutcome::Abandoned;
        let spent = Spent { estimated, ..cost(amount) };
        story.call_ends(team[0], outcome, spent.clone());
        sum = sum.plus(&spent);
        let rows = fold(&story);
        assert_eq!(rows.runs.rows[&team[0].run].spent, sum);
        assert_eq!(rows.turns.rows[&team[0].turn].spent, sum);
        assert_eq!(rows.conversation.as_ref().unwrap().spent, sum);
    }
    assert_eq!(sum.cost.as_ref().unwrap().amount, "1.3");
    // The end of a run says once more what its calls took.
    story.complete_run(team[0], 1, started, sum);
    let started = story.claim(team[1], 1);
    story.call_ends(team[1], CallOutcome::Stopped, cost("0.7"));
    story.stop_run(team[1], 1, started);
    let rows = fold(&story);
    assert_eq!(rows.messages.rows[&team[0].answer].spent, rows.runs.rows[&team[0].run].spent);
    assert_eq!(rows.turns.rows[&team[0].turn].spent.cost.as_ref().unwrap().amount, "2");
    assert_eq!(rows.conversation.as_ref().unwrap().spent, rows.turns.rows[&team[0].turn].spent);
}

#[test]
fn all_later_answers_name_the_first_one() {
    let mut story = Story::new();
    let question = story.say("hello");
    let first = story.plan(question);
    let started = story.claim(first, 1);
    story.complete(first, 1, started);
    let second = story.regenerate(question, first.answer);
    let third = story.regenerate(question, second.answer);
    let rows = fold(&story);
    let named = [first, second, third].map(|ids| rows.messages.rows[&ids.answer].regenerates);
    assert_eq!(named, [None, Some(first.answer), Some(first.answer)]);
}

#[test]
fn who_answers_and_how_is_what_was_configured_last() {
    let mut story = Story::new();
    let agents = vec!["writer".to_owned()];
    let (overlap, approval) = (OverlapPolicy::Reject, Approval::Deny);
    story.tell(AgentsConfigured { agents: agents.clone(), overlap, approval });
    let rows = fold(&story);
    let row = rows.conversation.as_ref().unwrap();
    assert_eq!((row.agents.clone(), row.overlap, row.approval), (agents, overlap, approval));
}
