//! Whole runs: from a person's message to the end of the answer.

mod budgets;
mod providers;
mod rig;
mod stops;
mod teams;
mod titles;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use commands::StartAgent;
use event_log::{Chunk, Tail};
use events::event::{AgentStarted, MessageCompleted, MessageFailed};
use events::{ChunkKind, ChunkSpan, ChunkTable, ConversationEvent, Field, FinishReason, MessageId, Record};

use crate::Settings;
use crate::scripted::{Act, Scripted, delta, send, sse, stop};
use rig::{Rig, chunks_until, embedded, ended, known, names, rigs, settings};

fn completed(records: &[Record]) -> Vec<MessageCompleted> {
    let events = known(records).into_iter();
    events
        .filter_map(|event| if let ConversationEvent::MessageCompleted(event) = event { Some(event) } else { None })
        .collect()
}

fn failed(records: &[Record]) -> Vec<MessageFailed> {
    let events = known(records).into_iter();
    events
        .filter_map(|event| if let ConversationEvent::MessageFailed(event) = event { Some(event) } else { None })
        .collect()
}

fn started(records: &[Record]) -> Vec<AgentStarted> {
    let events = known(records).into_iter();
    events
        .filter_map(|event| if let ConversationEvent::AgentStarted(event) = event { Some(event) } else { None })
        .collect()
}

async fn joined(rig: &Rig, chunks: &[Arc<Chunk>], kind: ChunkKind) -> String {
    let mut text = String::new();
    for chunk in chunks.iter().filter(|chunk| chunk.data.kind == kind) {
        text.push_str(&rig.delta(chunk).await);
    }
    text
}

/// That the ended message is exactly its published chunks. On Kafka some of them may come after its end.
async fn assert_cut(rig: &Rig, records: &[Record], message: MessageId, tail: &mut Tail) {
    let id = records[0].subject;
    let end = completed(records).into_iter().find(|end| end.message == message).expect("completed");
    let text = rig.open(id, message, "text", &end.text).await;
    let reasoning = match &end.reasoning {
        Some(reasoning) => rig.open(id, message, "reasoning", reasoning).await,
        None => String::new(),
    };
    let calls = match &end.calls {
        Some(calls) => rig.open(id, message, "calls", calls).await,
        None => String::new(),
    };
    let table = ChunkTable::unpack(&rig.open(id, message, "chunks", &end.chunks).await, end.started).expect("a table");
    let cut = table.cut(&text, &reasoning, &calls).expect("fits");
    let of_epoch = |chunk: &&Arc<Chunk>| chunk.data.epoch == end.epoch;
    let chunks = chunks_until(tail, id, |chunks| chunks.iter().filter(of_epoch).count() == cut.len()).await;
    let chunks: Vec<_> = chunks.iter().filter(of_epoch).cloned().collect();
    for (index, ((span, delta), chunk)) in cut.iter().zip(&chunks).enumerate() {
        let data = &chunk.data;
        assert_eq!((data.index as usize, data.epoch, data.message), (index, end.epoch, message));
        assert_eq!((data.kind, data.delay_ms, data.after), (span.kind, span.delay_ms, span.after));
        assert_eq!(rig.delta(chunk).await, *delta);
    }
    assert_eq!(joined(rig, &chunks, ChunkKind::Text).await, text);
    assert_eq!(joined(rig, &chunks, ChunkKind::Reasoning).await, reasoning);
}

#[tokio::test]
async fn a_message_is_answered_and_the_answer_is_its_chunks() {
    for rig in rigs("offline").await {
        let mut tail = rig.log.tail().await.unwrap();
        let working = rig.work(settings("one", ""));
        let id = rig.send(None, "Is anybody there?").await.loaded.id;
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let expected = [
            "ConversationStarted",
            "MessageSent",
            "TurnStarted",
            "TurnPlanned",
            "AgentStarted",
            "ModelCallStarted",
            "MessageCompleted",
            "ModelCallEnded",
            "AgentCompleted",
            "TurnCompleted",
        ];
        assert_eq!(names(&records), expected);
        let end = completed(&records).remove(0);
        assert_eq!((end.epoch, end.started, end.finish_reason), (1, 5, FinishReason::Stop));
        assert!(end.spent.usage.is_some());
        assert_cut(&rig, &records, end.message, &mut tail).await;
        let text = rig.open(id, end.message, "text", &end.text).await;
        assert!(text.contains("“Is anybody there?”"), "{text}");
        assert_eq!(records[7].correlationid, records[0].correlationid);
        assert_eq!(records[7].causationid, Some(records[5].id));
        working.drain().await;
    }
}

#[tokio::test]
async fn messages_are_answered_one_after_the_other_and_a_prompt_holds_nothing_sent_later() {
    let answer = |text: &str| vec![sse(), Act::Pause(Duration::from_millis(200)), delta(text), stop()];
    for scale in 0..rigs("offline").await.len() {
        let scripted = Scripted::start(vec![answer("first"), answer("second"), answer("third")]).await;
        let rig = rigs("test/small").await.remove(scale);
        let id = rig.send(None, "one").await.loaded.id;
        rig.send(Some(id), "two").await;
        let _working = rig.work(settings("one", &scripted.address));
        rig.wait(id, |events| ended(events) == 1).await;
        rig.send(Some(id), "three").await;
        let records = rig.wait(id, |events| ended(events) == 3).await;
        assert_eq!(completed(&records).len(), 3);
        let said = |request: &String| {
            let body: serde_json::Value = serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
            let messages = body["messages"].as_array().unwrap().iter();
            messages.map(|message| message["content"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let system = "You are a helpful assistant.";
        let requests = scripted.requests();
        assert_eq!(said(&requests[0]), [system, "one"]);
        assert_eq!(said(&requests[1]), [system, "one", "first", "two"]);
        assert_eq!(said(&requests[2]), [system, "one", "first", "two", "second", "three"]);
        let body = requests[0].split("\r\n\r\n").nth(1).unwrap();
        let key = rig.keyring.content_key(rig.caller.person, id).await.unwrap();
        assert_eq!(started(&records)[0].context.digest, key.digest(body.as_bytes()));
    }
}

#[tokio::test]
async fn a_dead_worker_s_run_is_taken_over_with_the_next_epoch() {
    for scale in 0..rigs("offline").await.len() {
        let half = vec![sse(), delta("lost "), delta("words"), Act::Hang];
        let whole = vec![sse(), delta("kept "), Act::Pause(Duration::from_millis(30)), delta("words"), stop()];
        let scripted = Scripted::start(vec![half, whole]).await;
        let rig = rigs("test/small").await.remove(scale);
        let mut tail = rig.log.tail().await.unwrap();
        let dead = rig.work(settings("dead", &scripted.address));
        let id = rig.send(None, "Hi").await.loaded.id;
        let first = chunks_until(&mut tail, id, |chunks| !chunks.is_empty()).await;
        assert_eq!(first[0].data.epoch, 1);
        drop(dead);
        let _heir = rig.work(settings("heir", &scripted.address));
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let epochs: Vec<u32> = started(&records).iter().map(|started| started.epoch).collect();
        assert_eq!(epochs, [1, 2]);
        let end = completed(&records);
        assert_eq!((end.len(), end[0].epoch), (1, 2));
        assert_eq!(rig.open(id, end[0].message, "text", &end[0].text).await, "kept words");
        assert_cut(&rig, &records, end[0].message, &mut tail).await;
    }
}

#[tokio::test]
async fn an_exclusive_worker_takes_what_was_left_behind_at_once() {
    let scripted = Scripted::start(vec![vec![sse(), delta("x"), Act::Hang], vec![sse(), delta("y"), stop()]]).await;
    let rig = embedded("test/small").await;
    let mut tail = rig.log.tail().await.unwrap();
    let long = |worker: &str| Settings {
        lease: Duration::from_secs(3600),
        exclusive: true,
        ..settings(worker, &scripted.address)
    };
    let dead = rig.work(long("dead"));
    let id = rig.send(None, "Hi").await.loaded.id;
    chunks_until(&mut tail, id, |chunks| !chunks.is_empty()).await;
    drop(dead);
    let _heir = rig.work(long("heir"));
    let records = rig.wait(id, |events| ended(events) == 1).await;
    assert_eq!(completed(&records)[0].epoch, 2);
}

#[tokio::test]
async fn a_drained_worker_gives_its_run_to_the_next() {
    let scripted = Scripted::start(vec![vec![sse(), delta("x"), Act::Hang], vec![sse(), delta("y"), stop()]]).await;
    let rig = embedded("test/small").await;
    let mut tail = rig.log.tail().await.unwrap();
    let long = |worker: &str| Settings { lease: Duration::from_secs(3600), ..settings(worker, &scripted.address) };
    let first = rig.work(long("first"));
    let id = rig.send(None, "Hi").await.loaded.id;
    chunks_until(&mut tail, id, |chunks| !chunks.is_empty()).await;
    first.drain().await;
    let _second = rig.work(long("second"));
    let records = rig.wait(id, |events| ended(events) == 1).await;
    assert_eq!(completed(&records)[0].epoch, 2);
}

#[tokio::test]
async fn a_failed_answer_keeps_its_part_and_the_next_message_is_answered() {
    let error = send("data: {\"error\":{\"message\":\"out of luck\"}}\n\n");
    let scripted = Scripted::start(vec![vec![sse(), delta("half"), error], vec![sse(), delta("whole"), stop()]]).await;
    let rig = embedded("test/small").await;
    let _working = rig.work(settings("one", &scripted.address));
    let id = rig.send(None, "Hi").await.loaded.id;
    rig.send(Some(id), "Again").await;
    let records = rig.wait(id, |events| ended(events) == 2).await;
    let end = failed(&records);
    assert_eq!((end.len(), completed(&records).len()), (1, 1));
    let (end, message) = (&end[0], end[0].message);
    assert_eq!(rig.open(id, message, "text", &end.text).await, "half");
    let reason = rig.open(id, message, "reason", &end.reason).await;
    assert_eq!(reason, "the model's server reported an error: out of luck");
    assert_eq!(names(&records).iter().filter(|name| name.ends_with("Failed")).count(), 3);
    assert!(!scripted.requests()[1].contains("half"));
}

#[tokio::test]
async fn after_ten_attempts_the_answer_has_failed_once() {
    let rig = embedded("test/small").await;
    let hang = || vec![sse(), delta("part"), Act::Hang];
    let scripted = Scripted::start((0..12).map(|_| hang()).collect()).await;
    let mut tail = rig.log.tail().await.unwrap();
    let id = rig.send(None, "Hi").await.loaded.id;
    for epoch in 1..=10 {
        let dead = rig.work(Settings { exclusive: true, ..settings("dead", &scripted.address) });
        chunks_until(&mut tail, id, |chunks| chunks.iter().any(|chunk| chunk.data.epoch == epoch)).await;
        drop(dead);
    }
    let _last = rig.work(Settings { exclusive: true, ..settings("last", &scripted.address) });
    let records = rig.wait(id, |events| ended(events) == 1).await;
    let end = failed(&records);
    assert_eq!((end.len(), end[0].epoch, started(&records).len()), (1, 10, 10));
    let reason = rig.open(id, end[0].message, "reason", &end[0].reason).await;
    assert_eq!(reason, "the answer was begun 10 times and its worker died each time");
    assert_eq!(rig.open(id, end[0].message, "text", &end[0].text).await, "part");
}

#[tokio::test]
async fn an_answer_over_its_limit_is_cut_and_ends_with_length() {
    let scripted = Scripted::start(vec![vec![sse(), delta("12345"), delta("67890"), Act::Hang]]).await;
    let rig = embedded("test/small").await;
    let _working = rig.work(Settings { answer_limit: 8, ..settings("one", &scripted.address) });
    let id = rig.send(None, "Hi").await.loaded.id;
    let records = rig.wait(id, |events| ended(events) == 1).await;
    let end = completed(&records).remove(0);
    assert_eq!(end.finish_reason, FinishReason::Length);
    assert_eq!(rig.open(id, end.message, "text", &end.text).await, "12345678");
}

#[tokio::test]
async fn an_agent_that_somebody_started_gets_the_instructions_and_runs_without_a_message() {
    let scripted = Scripted::start(vec![vec![sse(), delta("done"), stop()]]).await;
    let rig = embedded("test/small").await;
    let input = commands::StartConversation { agents: Some(Vec::new()), ..commands::StartConversation::default() };
    let id = rig.commands.start_conversation(&rig.caller, input).await.unwrap().loaded.id;
    rig.send(Some(id), "Nobody answers this").await;
    let _working = rig.work(settings("one", &scripted.address));
    let wish = StartAgent {
        conversation: id,
        agent: "assistant".into(),
        model: None,
        instructions: Some("Sum it up.".into()),
    };
    rig.commands.start_agent(&rig.caller, wish).await.unwrap();
    let records = rig.wait(id, |events| ended(events) == 1).await;
    assert_eq!(completed(&records).len(), 1);
    let request = scripted.requests().remove(0);
    assert!(request.contains(r#""You are a helpful assistant.\n\nSum it up.""#), "{request}");
    assert!(request.contains("Nobody answers this"));
}

#[tokio::test]
async fn many_conversations_are_answered_by_several_workers_once_each() {
    for rig in rigs("offline").await {
        let patient = |name| Settings { lease: Duration::from_secs(10), ..settings(name, "") };
        let _workers = ["one", "two", "three"].map(|name| rig.work(patient(name)));
        let sent = futures::future::join_all((0..20).map(|_| rig.send(None, "Hello"))).await;
        for outcome in sent {
            let records = rig.wait(outcome.loaded.id, |events| ended(events) == 1).await;
            assert_eq!((completed(&records).len(), started(&records).len()), (1, 1));
        }
    }
}

#[tokio::test]
async fn a_model_faster_than_anybody_reads_is_merged_and_nothing_is_lost() {
    for scale in 0..rigs("offline").await.len() {
        let pieces = (0..5000).map(|number| match number % 100 {
            0 => send("data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n"),
            _ => delta(&format!("ä{number} ")),
        });
        let script = std::iter::once(sse()).chain(pieces).chain([stop()]).collect();
        let scripted = Scripted::start(vec![script]).await;
        let rig = rigs("test/small").await.remove(scale);
        let mut tail = rig.log.tail().await.unwrap();
        let _working = rig.work(Settings { lease: Duration::from_secs(10), ..settings("one", &scripted.address) });
        let id = rig.send(None, "Hi").await.loaded.id;
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let end = completed(&records).remove(0);
        let text: String = (0..5000).filter(|n| n % 100 != 0).map(|number| format!("ä{number} ")).collect();
        assert_eq!(rig.open(id, end.message, "text", &end.text).await, text);
        assert_cut(&rig, &records, end.message, &mut tail).await;
        let table = rig.open(id, end.message, "chunks", &end.chunks).await;
        let chunks = ChunkTable::unpack(&table, end.started).unwrap().0.len();
        assert!((100..2500).contains(&chunks), "{chunks}");
    }
}

#[tokio::test]
async fn a_chunk_names_the_event_that_came_before_it() {
    for scale in 0..rigs("offline").await.len() {
        let script = vec![sse(), delta("before "), Act::Pause(Duration::from_secs(3)), delta("after"), stop()];
        let scripted = Scripted::start(vec![script]).await;
        let rig = rigs("test/small").await.remove(scale);
        let mut tail = rig.log.tail().await.unwrap();
        let _working = rig.work(Settings { lease: Duration::from_secs(10), ..settings("one", &scripted.address) });
        let id = rig.send(None, "Hi").await.loaded.id;
        chunks_until(&mut tail, id, |chunks| !chunks.is_empty()).await;
        let second = rig.send(Some(id), "And?").await.sequence();
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let end = completed(&records).remove(0);
        let table = rig.open(id, end.message, "chunks", &end.chunks).await;
        let spans = ChunkTable::unpack(&table, end.started).unwrap().0;
        assert_eq!(spans.iter().map(|span| span.after).collect::<Vec<_>>(), [end.started + 1, second]);
    }
}

#[tokio::test]
async fn the_longest_answer_fits_into_its_record() {
    // Text that does not get smaller, in the smallest chunks that its bytes allow.
    let noise: Vec<Act> =
        (0..9000).map(|_| delta(&format!("{}{}", uuid::Uuid::now_v7(), uuid::Uuid::now_v7()))).collect();
    let scripted = Scripted::start(vec![std::iter::once(sse()).chain(noise).chain([stop()]).collect()]).await;
    let rig = embedded("test/small").await;
    let _working = rig.work(Settings { lease: Duration::from_secs(10), ..settings("one", &scripted.address) });
    let id = rig.send(None, "Hi").await.loaded.id;
    let records = rig.wait(id, |events| ended(events) == 1).await;
    let end = completed(&records).remove(0);
    assert_eq!(end.finish_reason, FinishReason::Length);
    assert_eq!(rig.open(id, end.message, "text", &end.text).await.len(), 512 << 10);
    let spans =
        (0..16_384).map(|number| ChunkSpan { kind: ChunkKind::Text, bytes: 32, delay_ms: number * 50, after: 9 });
    let table = ChunkTable(
        spans
            .chain((0..8192).map(|_| ChunkSpan { kind: ChunkKind::Reasoning, bytes: 32, delay_ms: 900_000, after: 9 }))
            .collect(),
    );
    let key = rig.keyring.content_key(rig.caller.person, id).await.unwrap();
    let table = key.seal(&Field::new("default", id, end.message, "chunks"), &table.pack(5));
    // All of it incompressible: base64 of all bytes.
    assert!((512 << 10) * 4 / 3 + table.b.len() + 4096 < 900_000, "{}", table.b.len());
}

#[tokio::test]
async fn a_long_past_is_read_as_far_as_a_model_is_shown_it() {
    let answer = || vec![sse(), delta("done"), stop()];
    let scripted = Scripted::start(vec![answer(), answer()]).await;
    let rig = embedded("test/small").await;
    let input = commands::StartConversation { agents: Some(Vec::new()), ..commands::StartConversation::default() };
    let id = rig.commands.start_conversation(&rig.caller, input).await.unwrap().loaded.id;
    for number in 0..600 {
        rig.send(Some(id), &format!("<{number}>")).await;
    }
    let wish = || StartAgent { conversation: id, agent: "assistant".into(), model: None, instructions: None };
    rig.commands.start_agent(&rig.caller, wish()).await.unwrap();
    let all = rig.work(settings("all", &scripted.address));
    rig.wait(id, |events| ended(events) == 1).await;
    all.drain().await;
    let _few = rig.work(Settings { history_limit: 14, ..settings("few", &scripted.address) });
    rig.commands.start_agent(&rig.caller, wish()).await.unwrap();
    rig.wait(id, |events| ended(events) == 2).await;
    let requests = scripted.requests();
    assert_eq!(requests[0].matches("\"user\"").count(), 600);
    let newest =
        r#"{"role":"user","content":"<598>"},{"role":"user","content":"<599>"},{"role":"assistant","content":"done"}]"#;
    assert!(requests[1].contains(newest), "{}", requests[1]);
    assert!(!requests[1].contains("<597>"));
}
