//! Given a turn's events, what is next.

use chrono::TimeDelta;
use commands::Conversation;
use cqrs_es::Aggregate;
use events::event::{
    AgentCompleted, AgentFailed, AgentStarted, CallOutcome, CallPurpose, ContextReference, ConversationRenamed,
    ConversationStarted, MessageCompleted, MessageSent, ModelCallEnded, ModelCallStarted, PlanKind, PlannedRun, Said,
    Spent, StopRequested, ToolCallApproved, ToolCallFailed, ToolCallRequested, TurnCompleted, TurnPlanned, TurnStarted,
};
use events::{CallId, ConversationEvent, ConversationId, KeyId, MessageId, PersonId, Sealed, TurnId};
use uuid::Uuid;

use super::*;

fn id<K: type_safe_id::StaticType>(number: u128) -> events::ids::Id<K> {
    events::ids::Id::from_uuid(Uuid::from_u128(number))
}

fn run(number: u128) -> RunId {
    id(number)
}

fn tool(number: u128) -> CallId {
    id(number)
}

fn person() -> PersonId {
    id(1)
}

fn turn() -> TurnId {
    id(1)
}

fn sealed() -> Sealed {
    Sealed { v: 1, k: KeyId::from_uuid(Uuid::nil()), b: String::new() }
}

/// A turn with these steps: each with those that it needs.
fn planned(steps: &[(u128, &[u128])], more: bool) -> Vec<ConversationEvent> {
    let step = |(number, after): &(u128, &[u128])| PlannedRun {
        run: run(*number),
        message: MessageId::from_uuid(Uuid::from_u128(100 + number)),
        agent: "assistant".into(),
        model: None,
        instructions: None,
        after: after.iter().map(|number| run(*number)).collect(),
        asked_by: None,
    };
    let (runs, reason) = (steps.iter().map(step).collect(), sealed());
    let text = sealed();
    let sent = MessageSent {
        message: id(9),
        author: person(),
        text,
        text_bytes: 0,
        turn: Some(turn()),
        steers: None,
        message_type: None,
        metadata: None,
        response_schema: None,
    };
    let started =
        ConversationStarted { starter: person(), title: None, agents: vec!["assistant".into()], metadata: None };
    vec![
        started.into(),
        sent.into(),
        TurnStarted { turn: turn(), message: Some(id(9)), person: person(), regenerates: None }.into(),
        TurnPlanned { turn: turn(), kind: PlanKind::Fixed, runs, more, reason }.into(),
    ]
}

/// A worker asks a model for this run.
fn asked(number: u128) -> [ConversationEvent; 2] {
    let conversation: ConversationId = id(1);
    let context =
        ContextReference { conversation, up_to: 2, profile: String::new(), renderer: 2, digest: String::new() };
    let started = AgentStarted {
        run: run(number),
        turn: turn(),
        message: id(100 + number),
        agent: "assistant".into(),
        model: "offline".into(),
        epoch: 1,
        context: context.clone(),
    };
    let (run, call, model) = (run(number), tool(1000 + number), "offline".into());
    let purpose = CallPurpose::Answer;
    let call =
        ModelCallStarted { call, run, epoch: 1, attempt: 1, model, purpose, context, prompt_bytes: 1, reserved: None };
    [started.into(), call.into()]
}

fn completed(number: u128) -> ConversationEvent {
    AgentCompleted { run: run(number), spent: Spent::default() }.into()
}

/// Its model wants this tool; a person has to allow it until then, if anybody.
fn wants(number: u128, name: &str, until: Option<DateTime<Utc>>) -> [ConversationEvent; 2] {
    let said = Said { text: sealed(), reasoning: None, calls: None, chunks: sealed() };
    let (call, outcome, spent) = (tool(1000 + number), CallOutcome::Completed, Spent::default());
    let ended = ModelCallEnded { call, run: run(number), outcome, spent, cached: false, said: Some(said) };
    let wanted = ToolCallRequested {
        call: tool(number),
        run: run(number),
        model_call: call,
        tool: name.into(),
        arguments: sealed(),
        needs_approval: until.is_some(),
        expires_at: until,
        writes: false,
        idempotent: true,
    };
    [ended.into(), wanted.into()]
}

fn next(events: impl IntoIterator<Item = ConversationEvent>) -> Steps {
    let mut state = Conversation::default();
    events.into_iter().for_each(|event| state.apply(event.into()));
    next_steps(state.turn.as_ref().expect("a turn"), &|tool| tool == "ask_agent", DateTime::UNIX_EPOCH)
}

fn now(steps: impl IntoIterator<Item = Step>) -> Steps {
    Steps { now: steps.into_iter().collect(), again: None }
}

const STEPS: [(u128, &[u128]); 4] = [(1, &[]), (2, &[1]), (3, &[1]), (4, &[1, 2, 3])];

#[test]
fn the_first_step_is_next_when_a_turn_begins() {
    assert_eq!(next(planned(&STEPS, false)), now([Step::Run(run(1))]));
    let asked = planned(&STEPS, false).into_iter().chain(asked(1));
    assert_eq!(next(asked), now([Step::Run(run(1))]), "its worker has it, or another one takes it");
}

#[test]
fn steps_that_need_the_same_one_run_at_the_same_time_and_the_last_after_all() {
    let first = || planned(&STEPS, false).into_iter().chain(asked(1)).chain([completed(1)]);
    assert_eq!(next(first()), now([Step::Run(run(2)), Step::Run(run(3))]));
    let failed = AgentFailed { run: run(2), error: sealed(), spent: Spent::default() };
    let second = || first().chain(asked(2)).chain([failed.clone().into()]);
    assert_eq!(next(second()), now([Step::Run(run(3))]), "one failed");
    assert_eq!(
        next(second().chain(asked(3)).chain([completed(3)])),
        now([Step::Run(run(4))]),
        "one failed, the last goes on"
    );
}

#[test]
fn a_tool_runs_and_then_its_run_goes_on() {
    let wanted = || planned(&STEPS[..1], false).into_iter().chain(asked(1)).chain(wants(1, "look", None));
    assert_eq!(next(wanted()), now([Step::Tool(tool(1))]));
    let done = ToolCallFailed { call: tool(1), error: sealed() };
    assert_eq!(next(wanted().chain([done.into()])), now([Step::Run(run(1))]));
}

#[test]
fn an_agent_that_is_asked_is_no_tool() {
    let wanted = planned(&STEPS[..1], false).into_iter().chain(asked(1)).chain(wants(1, "ask_agent", None));
    assert_eq!(next(wanted), now([Step::Ask(tool(1))]));
}

#[test]
fn what_waits_for_a_person_is_looked_at_again_when_it_expires() {
    let until = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
    let waiting = |until| planned(&STEPS[..1], false).into_iter().chain(asked(1)).chain(wants(1, "look", Some(until)));
    assert_eq!(next(waiting(until)), Steps { now: Vec::new(), again: Some(until) });
    assert_eq!(next(waiting(DateTime::UNIX_EPOCH)), now([Step::Expire(tool(1))]));
    let approved = ToolCallApproved { call: tool(1), by: person(), edited: None };
    assert_eq!(next(waiting(until).chain([approved.into()])), now([Step::Tool(tool(1))]));
}

#[test]
fn whatever_runs_is_ended_when_somebody_stops_the_turn() {
    let stop = StopRequested { turn: turn(), by: person(), roll_back: false };
    let stopping = planned(&STEPS[..2], false).into_iter().chain(asked(1)).chain([stop.clone().into()]);
    assert_eq!(next(stopping), now([Step::Run(run(1)), Step::Run(run(2))]));
    let between = planned(&STEPS[..1], true).into_iter().chain(asked(1)).chain([completed(1), stop.into()]);
    assert_eq!(next(between), now([Step::End]));
}

#[test]
fn more_is_planned_when_the_planned_steps_have_ended() {
    let ended = planned(&STEPS[..1], true).into_iter().chain(asked(1)).chain([completed(1)]);
    assert_eq!(next(ended), now([Step::Plan]));
}

#[test]
fn a_title_is_wanted_once_the_first_turn_has_completed() {
    let mut state = Conversation::default();
    let mut wants = |events: Vec<ConversationEvent>| {
        events.into_iter().for_each(|event| state.apply(event.into()));
        wants_title(&state)
    };
    assert!(!wants(planned(&[(1, &[])], false)));
    let (chunks, text, spent) = (sealed(), sealed(), Spent::default());
    let finish_reason = events::FinishReason::Stop;
    let completed = MessageCompleted {
        message: id(101),
        run: run(1),
        epoch: 1,
        started: 0,
        text,
        reasoning: None,
        calls: None,
        chunks,
        finish_reason,
        spent: spent.clone(),
    };
    assert!(!wants(vec![completed.into(), AgentCompleted { run: run(1), spent }.into()]));
    assert!(wants(vec![TurnCompleted { turn: turn() }.into()]));
    assert!(!wants(vec![ConversationRenamed { title: sealed() }.into()]));
}
