//! B4: rebuilding every read model from the store, beside copying rows into a table with the same indexes.

use std::time::Instant;

use chrono::{DateTime, Utc};
use events::event::*;
use events::record::Envelope;
use events::*;
use sqlx::postgres::PgPoolCopyExt;
use sqlx::{Executor, PgPool};

use crate::report::{Figure, Wanted};
use crate::setup::Setup;

const TURNS: usize = 10;
/// Events of one of these turns, its question included.
const EVENTS: usize = 9;

/// Events a second of `loquent rebuild all` divided by rows a second of `copy`.
pub(crate) async fn b4(setup: &Setup, rounds: usize, events: usize) -> anyhow::Result<Vec<Figure>> {
    let mut figure = Figure::new("B4 rebuilt events / copied rows", "/s", Wanted::AtLeast(0.10));
    let store = setup.fresh_database("bench_b4").await?;
    let pool = PgPool::connect(&store).await?;
    let written = fill(&pool, events).await?;
    println!("  B4: {written} events of {} conversations", written / (1 + EVENTS * TURNS));
    for round in 0..rounds {
        let begun = Instant::now();
        setup.run(&["rebuild", "all", "--store", &store]).await?;
        let ours = written as f64 / begun.elapsed().as_secs_f64();
        let reference = copy_rate(&pool).await?;
        println!("  B4 round {round}: {ours:.0} events/s, {reference:.0} rows/s");
        figure.push(ours, reference);
    }
    pool.close().await;
    Ok(vec![figure])
}

/// Rows a second: the messages that the rebuild made, out of one table and into another of the same form.
async fn copy_rate(pool: &PgPool) -> anyhow::Result<f64> {
    pool.execute("drop table if exists bench_copy; create table bench_copy (like messages including all)").await?;
    let mut rows = Vec::new();
    let mut out = pool.copy_out_raw("copy messages to stdout").await?;
    while let Some(bytes) = futures::TryStreamExt::try_next(&mut out).await? {
        rows.extend_from_slice(&bytes);
    }
    drop(out);
    let begun = Instant::now();
    let mut copy = pool.copy_in_raw("copy bench_copy from stdin").await?;
    for piece in rows.chunks(1 << 20) {
        copy.send(piece).await?;
    }
    let count = copy.finish().await?;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// Copies whole conversations of ten answered messages into the store, with the true chain of hashes.
async fn fill(pool: &PgPool, events: usize) -> anyhow::Result<usize> {
    let mut copy = pool
        .copy_in_raw("copy events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) from stdin")
        .await?;
    let mut written = 0;
    while written < events {
        let mut text = String::new();
        for _ in 0..50 {
            let records = conversation();
            written += records.len();
            records.iter().for_each(|record| text.push_str(&row(record)));
        }
        copy.send(text.into_bytes()).await?;
    }
    copy.finish().await?;
    pool.execute("analyze events").await?;
    Ok(written)
}

fn row(record: &Record) -> String {
    let escape = |json: serde_json::Value| json.to_string().replace('\\', "\\\\");
    let (wire_type, version) = record.type_and_version();
    let (payload, metadata) = (escape(record.data.clone()), escape(record.metadata()));
    format!("conversation\t{}\t{}\t{wire_type}\t{version}\t{payload}\t{metadata}\n", record.subject, record.sequence)
}

fn sealed() -> Sealed {
    Sealed { v: 1, k: KeyId::generate(), b: "A".repeat(180) }
}

/// The records of a conversation in which one person asked ten times and was answered.
fn conversation() -> Vec<Record> {
    let person = PersonId::generate();
    let mut events: Vec<ConversationEvent> = vec![
        ConversationStarted {
            starter: person,
            title: Some(sealed()),
            agents: vec!["assistant".into()],
            metadata: None,
        }
        .into(),
    ];
    for _ in 0..TURNS {
        turn(person, &mut events);
    }
    let subject = ConversationId::generate();
    let time: DateTime<Utc> = Utc::now();
    let mut records: Vec<Record> = Vec::with_capacity(events.len());
    for event in &events {
        let id = EventId::generate();
        let prevhash = records.last().map_or(Record::NO_HASH.to_owned(), |record| record.hash.clone());
        let envelope = Envelope {
            id,
            subject,
            time,
            sequence: records.len() as u64 + 1,
            tenant: "default".into(),
            actor: Actor::Person(person),
            correlationid: id,
            causationid: None,
            prevhash,
        };
        records.push(Record::new(envelope, event));
    }
    records
}

fn turn(person: PersonId, events: &mut Vec<ConversationEvent>) {
    let (question, message, turn, run) =
        (MessageId::generate(), MessageId::generate(), TurnId::generate(), RunId::generate());
    let agent = "assistant".to_owned();
    let planned = PlannedRun {
        run,
        message,
        agent: agent.clone(),
        model: None,
        instructions: None,
        after: Vec::new(),
        asked_by: None,
    };
    let started = events.len() as u64 + 4;
    let context = ContextReference {
        conversation: ConversationId::generate(),
        up_to: started - 1,
        profile: "f".repeat(64),
        renderer: 1,
        digest: "d".repeat(64),
    };
    events.extend([
        asked(question, turn, person),
        TurnStarted { turn, message: Some(question), person, regenerates: None }.into(),
        TurnPlanned { turn, kind: PlanKind::Fixed, runs: vec![planned], more: false, reason: sealed() }.into(),
        AgentStarted { run, turn, message, agent, model: "offline".into(), epoch: 1, context: context.clone() }.into(),
    ]);
    events.extend(answered(run, message, started, context));
    events.push(TurnCompleted { turn }.into());
}

fn asked(message: MessageId, turn: TurnId, author: PersonId) -> ConversationEvent {
    let (text, text_bytes) = (sealed(), 120);
    let (steers, message_type, metadata, response_schema) = (None, None, None, None);
    MessageSent { message, author, text, text_bytes, turn: Some(turn), steers, message_type, metadata, response_schema }
        .into()
}

fn answered(run: RunId, message: MessageId, started: Sequence, context: ContextReference) -> [ConversationEvent; 4] {
    let (call, model, purpose) = (CallId::generate(), "offline".to_owned(), CallPurpose::Answer);
    let usage = Some(Usage { input_tokens: 100, output_tokens: 200, ..Usage::default() });
    let spent = Spent { usage, ..Spent::default() };
    [
        ModelCallStarted {
            call,
            run,
            epoch: 1,
            attempt: 1,
            model,
            purpose,
            context,
            prompt_bytes: 400,
            reserved: None,
        }
        .into(),
        MessageCompleted {
            message,
            run,
            epoch: 1,
            started,
            text: sealed(),
            reasoning: None,
            calls: None,
            chunks: sealed(),
            finish_reason: FinishReason::Stop,
            spent: spent.clone(),
        }
        .into(),
        ModelCallEnded { call, run, outcome: CallOutcome::Completed, spent: spent.clone(), cached: false, said: None }
            .into(),
        AgentCompleted { run, spent }.into(),
    ]
}
