//! Fixed ids and a conversation's events, for given / when / then.

mod title;

use cqrs_es::test::{AggregateResultValidator, AggregateTestExecutor, TestFramework};
use events::event::{
    AgentCompleted, AgentFailed, AgentStarted, Approval, CallOutcome, CallPurpose, ContextReference,
    ConversationArchived, ConversationStarted, MessageCompleted, MessageFailed, MessageSent, MessageStopped,
    ModelCallEnded, ModelCallStarted, ParticipantAdded, ParticipantRemoved, PlanKind, PlannedRun, Said, Spent,
    StopRequested, ToolCallRequested, TurnCompleted, TurnFailed, TurnPlanned, TurnStarted, TurnStopped,
};
use events::{
    CallId, ConversationEvent, ConversationId, FinishReason, KeyId, MessageId, PersonId, RunId, Sealed, Sequence,
    TurnId, Usage,
};
use uuid::Uuid;

use crate::conversation::{Conversation, Fact};
use crate::error::Refusal;
use crate::rules::{
    CallEnd, ClaimRun, EndRun, Limits, NewCall, NewToolCall, RequestTools, RunEnd, SendMessage, StartAgent,
    StartConversation, StartTurn,
};

pub(crate) use title::{TITLE, first_exchange, title_call_ended, title_call_started};

pub(crate) const STARTER: u128 = 1;
pub(crate) const GUEST: u128 = 2;
pub(crate) const STRANGER: u128 = 3;

pub(crate) fn conversation() -> ConversationId {
    ConversationId::from_uuid(Uuid::from_u128(1))
}
pub(crate) fn person(number: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(number))
}
/// What a person sent.
pub(crate) fn message(number: u128) -> MessageId {
    MessageId::from_uuid(Uuid::from_u128(number))
}
pub(crate) fn turn(number: u128) -> TurnId {
    TurnId::from_uuid(Uuid::from_u128(number))
}
pub(crate) fn run(number: u128) -> RunId {
    RunId::from_uuid(Uuid::from_u128(number))
}
/// What the run of this number writes.
pub(crate) fn answer(number: u128) -> MessageId {
    MessageId::from_uuid(Uuid::from_u128(1 << 64 | number))
}
/// The model call of the run of this number, in this attempt.
pub(crate) fn call(number: u128, epoch: u32) -> CallId {
    CallId::from_uuid(Uuid::from_u128(u128::from(epoch) << 64 | number))
}
/// The tool call of this number.
pub(crate) fn tool(number: u128) -> CallId {
    CallId::from_uuid(Uuid::from_u128(1 << 100 | number))
}
pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed { v: 1, k: KeyId::from_uuid(Uuid::nil()), b: text.into() }
}

/// Sequence 1; the assistant answers.
pub(crate) fn started() -> ConversationEvent {
    started_with(&["assistant"])
}
pub(crate) fn started_with(agents: &[&str]) -> ConversationEvent {
    let agents = agents.iter().map(|&name| name.into()).collect();
    ConversationStarted { starter: person(STARTER), title: None, agents, metadata: None }.into()
}
pub(crate) fn added(number: u128) -> ConversationEvent {
    ParticipantAdded { person: person(number) }.into()
}
pub(crate) fn removed(number: u128) -> ConversationEvent {
    ParticipantRemoved { person: person(number) }.into()
}
pub(crate) fn archived() -> ConversationEvent {
    ConversationArchived {}.into()
}
/// The starter's message of this number.
pub(crate) fn sent(number: u128) -> ConversationEvent {
    sent_by(STARTER, number)
}
pub(crate) fn sent_by(author: u128, number: u128) -> ConversationEvent {
    message_sent(author, number, Some(turn(number)), None)
}
/// The starter's message of this number, where nobody answers.
pub(crate) fn sent_unanswered(number: u128) -> ConversationEvent {
    message_sent(STARTER, number, None, None)
}
/// The starter's message of this number, for the turn of another one to read.
pub(crate) fn steered(number: u128, running: u128) -> ConversationEvent {
    message_sent(STARTER, number, Some(turn(number)), Some(turn(running)))
}
fn message_sent(author: u128, number: u128, turn: Option<TurnId>, steers: Option<TurnId>) -> ConversationEvent {
    MessageSent {
        message: message(number),
        author: person(author),
        text: sealed("hi"),
        text_bytes: 2,
        turn,
        steers,
        message_type: None,
        metadata: None,
        response_schema: None,
    }
    .into()
}
/// The turn of this number answers the starter's message of this number, by the run of this number.
pub(crate) fn turn_of(number: u128) -> [ConversationEvent; 2] {
    [begun(number), planned(number, &[number])]
}
pub(crate) fn begun(number: u128) -> ConversationEvent {
    let (turn, message) = (turn(number), Some(message(number)));
    TurnStarted { turn, message, person: person(STARTER), regenerates: None }.into()
}
pub(crate) fn planned(number: u128, runs: &[u128]) -> ConversationEvent {
    plan(number, runs.iter().map(|&number| planned_run(number)).collect(), false)
}
pub(crate) fn plan(number: u128, runs: Vec<PlannedRun>, more: bool) -> ConversationEvent {
    TurnPlanned { turn: turn(number), kind: PlanKind::Fixed, runs, more, reason: sealed("because") }.into()
}
pub(crate) fn planned_run(number: u128) -> PlannedRun {
    PlannedRun {
        run: run(number),
        message: answer(number),
        agent: "assistant".into(),
        model: None,
        instructions: None,
        after: Vec::new(),
        asked_by: None,
    }
}
/// The run of this number, in the turn of the same number, is claimed.
pub(crate) fn claimed(number: u128, epoch: u32) -> [ConversationEvent; 2] {
    claimed_in(number, number, epoch)
}
pub(crate) fn claimed_in(in_turn: u128, number: u128, epoch: u32) -> [ConversationEvent; 2] {
    let started = AgentStarted {
        run: run(number),
        turn: turn(in_turn),
        message: answer(number),
        agent: "assistant".into(),
        model: "offline".into(),
        epoch,
        context: context(),
    };
    [started.into(), call_started(number, epoch, call(number, epoch), 1)]
}
pub(crate) fn call_started(number: u128, epoch: u32, call: CallId, attempt: u32) -> ConversationEvent {
    let (run, model, context, purpose) = (run(number), "offline".into(), context(), CallPurpose::Answer);
    ModelCallStarted { call, run, epoch, attempt, model, purpose, context, prompt_bytes: 7, reserved: None }.into()
}
pub(crate) fn context() -> ContextReference {
    let (conversation, profile, digest) = (conversation(), "p".into(), "d".into());
    ContextReference { conversation, up_to: 2, profile, renderer: 1, digest }
}
pub(crate) fn new_call(call: CallId) -> NewCall {
    NewCall {
        call,
        attempt: 1,
        model: "offline".into(),
        context: context(),
        prompt_bytes: 7,
        reserved: None,
        limits: Limits { calls: u32::MAX, cost: None, tokens: None },
    }
}
pub(crate) fn spent() -> Spent {
    let usage = Usage { input_tokens: 3, output_tokens: 2, ..Usage::default() };
    Spent { usage: Some(usage), ..Spent::default() }
}
pub(crate) fn call_end(call: CallId, outcome: CallOutcome) -> CallEnd {
    CallEnd { call, outcome, spent: spent(), cached: false }
}
pub(crate) fn call_ended(number: u128, call: CallId, outcome: CallOutcome) -> ConversationEvent {
    ModelCallEnded { call, run: run(number), outcome, spent: spent(), cached: false, said: None }.into()
}
/// The run's worker died with a call open, of which nothing is known.
pub(crate) fn call_abandoned(number: u128, epoch: u32) -> ConversationEvent {
    let (call, spent) = (call(number, epoch), Spent { estimated: true, ..Spent::default() });
    let outcome = CallOutcome::Abandoned;
    ModelCallEnded { call, run: run(number), outcome, spent, cached: false, said: None }.into()
}
pub(crate) fn completed(number: u128, epoch: u32, started: Sequence) -> [ConversationEvent; 3] {
    let message = MessageCompleted {
        message: answer(number),
        run: run(number),
        epoch,
        started,
        text: sealed("hello"),
        reasoning: None,
        calls: None,
        chunks: sealed("table"),
        finish_reason: FinishReason::Stop,
        spent: spent(),
    };
    let completed = AgentCompleted { run: run(number), spent: spent() };
    [message.into(), call_ended(number, call(number, epoch), CallOutcome::Completed), completed.into()]
}
pub(crate) fn stop_requested(number: u128) -> ConversationEvent {
    StopRequested { turn: turn(number), by: person(STARTER), roll_back: false }.into()
}
pub(crate) fn turn_stopped(number: u128) -> ConversationEvent {
    TurnStopped { turn: turn(number), by: person(STARTER), rolled_back: false }.into()
}
pub(crate) fn message_stopped(number: u128, epoch: u32, started: Sequence, spent: Spent) -> ConversationEvent {
    MessageStopped {
        message: answer(number),
        run: run(number),
        epoch,
        started,
        text: sealed("hel"),
        reasoning: None,
        calls: None,
        chunks: sealed("table"),
        spent,
    }
    .into()
}
pub(crate) fn turn_completed(number: u128) -> ConversationEvent {
    TurnCompleted { turn: turn(number) }.into()
}
pub(crate) fn failed(number: u128, epoch: u32, started: Sequence) -> [ConversationEvent; 3] {
    let [message, run] = failed_unclaimed(number, epoch, started, spent());
    [message, call_ended(number, call(number, epoch), CallOutcome::Failed), run]
}
pub(crate) fn failed_unclaimed(number: u128, epoch: u32, started: Sequence, spent: Spent) -> [ConversationEvent; 2] {
    let message = MessageFailed {
        message: answer(number),
        run: run(number),
        epoch,
        started,
        text: sealed("hel"),
        reasoning: None,
        calls: None,
        chunks: sealed("table"),
        reason: sealed("cut off"),
        spent: spent.clone(),
    };
    [message.into(), AgentFailed { run: run(number), error: sealed("cut off"), spent }.into()]
}
/// The run's model wants these tools; each waits for a person where `asks`.
pub(crate) fn tools_requested(
    number: u128,
    epoch: u32,
    tools: &[u128],
    writes: bool,
    asks: bool,
) -> Vec<ConversationEvent> {
    let model_call = call(number, epoch);
    let ended = ModelCallEnded {
        call: model_call,
        run: run(number),
        outcome: CallOutcome::Completed,
        spent: spent(),
        cached: false,
        said: Some(said()),
    };
    let requested = tools.iter().map(|&number_of_tool| {
        ToolCallRequested {
            call: tool(number_of_tool),
            run: run(number),
            model_call,
            tool: "lookup".into(),
            arguments: sealed("{}"),
            needs_approval: asks,
            expires_at: asks.then_some(expiry()),
            writes,
            idempotent: !writes,
        }
        .into()
    });
    std::iter::once(ended.into()).chain(requested).collect()
}
pub(crate) fn expiry() -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(1)
}
pub(crate) fn said() -> Said {
    Said { text: sealed("let me look"), reasoning: None, calls: None, chunks: sealed("table") }
}
pub(crate) fn turn_failed(number: u128) -> ConversationEvent {
    TurnFailed { turn: turn(number), reason: sealed("cut off") }.into()
}

pub(crate) fn start() -> StartConversation {
    StartConversation {
        starter: person(STARTER),
        title: None,
        title_chars: 0,
        agents: vec!["assistant".into()],
        unknown_agent: None,
        metadata: None,
    }
}
pub(crate) fn send(author: u128, number: u128) -> SendMessage {
    SendMessage {
        start: None,
        message: message(number),
        author: person(author),
        text: sealed("hi"),
        text_bytes: 2,
        turn: turn(number),
        overlap: None,
        message_type: None,
        metadata: None,
        response_schema: None,
    }
}
pub(crate) fn start_agent(number: u128) -> StartAgent {
    StartAgent {
        by: person(STARTER),
        turn: turn(number),
        run: run(number),
        message: answer(number),
        agent: "assistant".into(),
        agent_known: true,
        model: None,
        model_allowed: true,
        instructions: None,
        reason: sealed("because"),
    }
}
pub(crate) fn start_turn(number: u128) -> StartTurn {
    let (turn, runs) = (turn(number), vec![planned_run(number)]);
    StartTurn { turn, kind: PlanKind::Fixed, runs, more: false, reason: sealed("because") }
}
pub(crate) fn claim(number: u128, epoch: u32) -> ClaimRun {
    ClaimRun { run: run(number), epoch, abandoned: None, call: new_call(call(number, epoch)) }
}
pub(crate) fn complete(number: u128, epoch: u32) -> EndRun {
    let end = RunEnd::Completed { finish_reason: FinishReason::Stop };
    EndRun { text: sealed("hello"), end, ..end_run(number, epoch, CallOutcome::Completed) }
}
pub(crate) fn fail(number: u128, epoch: u32) -> EndRun {
    EndRun { text: sealed("hel"), ..end_run(number, epoch, CallOutcome::Failed) }
}
pub(crate) fn stop(number: u128, epoch: u32) -> EndRun {
    EndRun { end: RunEnd::Stopped, ..end_run(number, epoch, CallOutcome::Stopped) }
}
fn end_run(number: u128, epoch: u32, outcome: CallOutcome) -> EndRun {
    EndRun {
        run: run(number),
        epoch,
        call: (epoch > 0).then(|| call_end(call(number, epoch), outcome)),
        text: sealed("hel"),
        reasoning: None,
        calls: None,
        chunks: sealed("table"),
        end: RunEnd::Failed { reason: sealed("cut off"), error: sealed("cut off") },
        to_asker: None,
        turn_reason: sealed("cut off"),
    }
}
pub(crate) fn request_tools(
    number: u128,
    epoch: u32,
    tools: &[u128],
    writes: bool,
    approval: Approval,
) -> RequestTools {
    let tools = tools.iter().map(|&number| NewToolCall {
        call: tool(number),
        tool: "lookup".into(),
        arguments: sealed("{}"),
        writes,
        idempotent: !writes,
        approval,
        expires_at: expiry(),
        impossible: None,
    });
    RequestTools {
        run: run(number),
        epoch,
        call: call_end(call(number, epoch), CallOutcome::Completed),
        said: said(),
        tools: tools.collect(),
    }
}

pub(crate) fn given(events: impl IntoIterator<Item = ConversationEvent>) -> AggregateTestExecutor<Conversation> {
    TestFramework::with(()).given(facts(events))
}
pub(crate) fn facts(events: impl IntoIterator<Item = ConversationEvent>) -> Vec<Fact> {
    events.into_iter().map(Fact::from).collect()
}

/// The rule that refused, or how else it was refused.
pub(crate) fn refusal(answer: AggregateResultValidator<Conversation>) -> &'static str {
    match answer.inspect_result().expect_err("refused") {
        Refusal::Rejected(rejection) => rejection.code,
        Refusal::NotFound => "NOT_FOUND",
        Refusal::Stale => "STALE",
    }
}
