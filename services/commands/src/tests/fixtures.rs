//! Fixed ids and a conversation's events, for given / when / then.

use cqrs_es::test::{AggregateResultValidator, AggregateTestExecutor, TestFramework};
use events::event::{
    AgentCompleted, AgentFailed, AgentStarted, ContextReference, ConversationArchived, ConversationStarted,
    MessageCompleted, MessageFailed, MessageSent, ParticipantAdded, ParticipantRemoved, PlannedRun, TurnCompleted,
    TurnFailed, TurnPlanned, TurnStarted,
};
use events::{
    ConversationEvent, ConversationId, FinishReason, KeyId, MessageId, PersonId, RunId, Sealed, Sequence, TurnId,
};
use uuid::Uuid;

use crate::conversation::{Conversation, Fact};
use crate::error::Refusal;
use crate::rules::{ClaimRun, CompleteRun, FailRun, SendMessage, StartAgent, StartConversation, StartTurn};

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
    message_sent(author, number, true)
}
/// The starter's message of this number, where nobody answers.
pub(crate) fn sent_unanswered(number: u128) -> ConversationEvent {
    message_sent(STARTER, number, false)
}
fn message_sent(author: u128, number: u128, awaits_turn: bool) -> ConversationEvent {
    let (message, author) = (message(number), person(author));
    MessageSent { message, author, text: sealed("hi"), text_bytes: 2, awaits_turn, message_type: None, metadata: None }
        .into()
}
/// The turn of this number answers the starter's message of this number, by the run of this number.
pub(crate) fn turn_of(number: u128) -> [ConversationEvent; 2] {
    let begun = TurnStarted { turn: turn(number), message: Some(message(number)), person: person(STARTER) };
    [begun.into(), planned(number, &[number])]
}
pub(crate) fn planned(number: u128, runs: &[u128]) -> ConversationEvent {
    let runs = runs.iter().map(|&number| planned_run(number)).collect();
    TurnPlanned { turn: turn(number), runs, reason: sealed("because") }.into()
}
pub(crate) fn planned_run(number: u128) -> PlannedRun {
    let (run, message) = (run(number), answer(number));
    PlannedRun { run, message, agent: "assistant".into(), model: None, instructions: None }
}
/// The run of this number, in the turn of the same number, is claimed.
pub(crate) fn claimed(number: u128, epoch: u32) -> ConversationEvent {
    AgentStarted {
        run: run(number),
        turn: turn(number),
        message: answer(number),
        agent: "assistant".into(),
        model: "offline".into(),
        epoch,
        context: context(),
    }
    .into()
}
pub(crate) fn context() -> ContextReference {
    ContextReference { conversation: conversation(), up_to: 2, renderer: 1, digest: "d".into() }
}
pub(crate) fn completed(number: u128, epoch: u32, started: Sequence) -> [ConversationEvent; 2] {
    let message = MessageCompleted {
        message: answer(number),
        run: run(number),
        epoch,
        started,
        text: sealed("hello"),
        reasoning: None,
        chunks: sealed("table"),
        finish_reason: FinishReason::Stop,
        usage: None,
    };
    [message.into(), AgentCompleted { run: run(number), usage: None }.into()]
}
pub(crate) fn turn_completed(number: u128) -> ConversationEvent {
    TurnCompleted { turn: turn(number) }.into()
}
pub(crate) fn failed(number: u128, epoch: u32, started: Sequence) -> [ConversationEvent; 2] {
    let message = MessageFailed {
        message: answer(number),
        run: run(number),
        epoch,
        started,
        text: sealed("hel"),
        reasoning: None,
        chunks: sealed("table"),
        reason: sealed("cut off"),
        usage: None,
    };
    [message.into(), AgentFailed { run: run(number), error: sealed("cut off"), usage: None }.into()]
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
        message_type: None,
        metadata: None,
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
    let (turn, message) = (turn(number), message(number));
    StartTurn { turn, message, runs: vec![planned_run(number)], reason: sealed("because") }
}
pub(crate) fn claim(number: u128, epoch: u32) -> ClaimRun {
    ClaimRun { run: run(number), epoch, model: "offline".into(), context: context() }
}
pub(crate) fn complete(number: u128, epoch: u32) -> CompleteRun {
    CompleteRun {
        run: run(number),
        epoch,
        text: sealed("hello"),
        reasoning: None,
        chunks: sealed("table"),
        finish_reason: FinishReason::Stop,
        usage: None,
    }
}
pub(crate) fn fail(number: u128, epoch: u32) -> FailRun {
    FailRun {
        run: run(number),
        epoch,
        text: sealed("hel"),
        reasoning: None,
        chunks: sealed("table"),
        reason: sealed("cut off"),
        error: sealed("cut off"),
        turn_reason: sealed("cut off"),
        usage: None,
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
