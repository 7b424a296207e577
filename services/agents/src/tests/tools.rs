//! Tools: wanted, allowed, run, told to the model; and never twice.

use std::collections::BTreeMap;
use std::time::Duration;

use commands::{ApproveToolCall, RejectToolCall};
use events::event::{Approval, ToolCallRequested};
use events::{ConversationEvent, ConversationId, Record};
use serde_json::json;

use super::completed;
use super::rig::{Rig, ended, known, names, rigs, settings};
use crate::scripted::{Act, Scripted, delta, send, sse, stop, wants};
use crate::{HttpTool, Rules, Settings, ToolSettings};

fn requested(records: &[Record]) -> Vec<ToolCallRequested> {
    let wanted = |event| if let ConversationEvent::ToolCallRequested(wanted) = event { Some(wanted) } else { None };
    known(records).into_iter().filter_map(wanted).collect()
}

/// A model that wants `look` with these arguments before it answers.
async fn model(arguments: &'static str) -> Scripted {
    Scripted::answering(move |request| match request.contains("\"role\":\"tool\"") {
        false => vec![sse(), delta("Let me look. "), wants("look", arguments)],
        true => vec![sse(), delta("Found it."), stop()],
    })
    .await
}

fn ok(body: &str) -> Vec<Act> {
    let length = body.len();
    vec![send(&format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"))]
}

/// An assistant that may use the tool `look`, a POST to this server.
fn tooled(rig: Rig, approval: Approval) -> Rig {
    rig.with(|catalog| {
        let assistant = catalog.agents.get_mut("assistant").expect("built in");
        assistant.tools = vec!["look".into(), "ask_agent".into()];
        assistant.approval = approval;
    })
}

fn with_tool(model: &Scripted, tool: &str) -> Settings {
    let look = HttpTool {
        description: "Looks".into(),
        method: "POST".into(),
        url: format!("{tool}/look"),
        parameters: json!({ "type": "object", "properties": { "what": { "type": "string" } }, "required": ["what"] }),
        headers: Vec::new(),
        effect: None,
        idempotent: None,
        rules: Rules { timeout: Some(Duration::from_secs(10)), approval: Some(Approval::Auto), ..Rules::default() },
    };
    let tools = ToolSettings {
        http: BTreeMap::from([("look".into(), look)]),
        allow: vec!["127.0.0.0/8".into()],
        ..ToolSettings::default()
    };
    Settings { tools, lease: Duration::from_secs(10), ..settings("one", &model.address) }
}

#[tokio::test]
async fn a_tool_runs_and_the_model_goes_on_with_its_result() {
    for scale in 0..rigs("offline").await.len() {
        let (model, server) = (model(r#"{"what":"x"}"#).await, Scripted::answering(|_| ok("{\"n\":7}")).await);
        let rig = tooled(rigs("test/small").await.remove(scale), Approval::Auto);
        let mut tail = rig.log.tail().await.unwrap();
        let _working = rig.work(with_tool(&model, &server.address));
        let id = rig.send(None, "Look!").await.loaded.id;
        let records = rig.wait(id, |events| ended(events) == 1).await;
        let expected = [
            "AgentStarted",
            "ModelCallStarted",
            "ModelCallEnded",
            "ToolCallRequested",
            "ToolCallStarted",
            "ToolCallCompleted",
            "ModelCallStarted",
            "MessageCompleted",
            "ModelCallEnded",
            "AgentCompleted",
            "TurnCompleted",
        ];
        assert_eq!(names(&records)[4..], expected);
        let end = completed(&records).remove(0);
        assert_eq!(rig.open(id, end.message, "text", &end.text).await, "Let me look. Found it.");
        let calls = rig.open(id, end.message, "calls", end.calls.as_ref().expect("wanted something")).await;
        assert_eq!(calls, r#"{"what":"x"}"#);
        super::assert_cut(&rig, &records, end.message, &mut tail).await;
        let call = requested(&records)[0].call.to_string();
        assert!(server.requests()[0].contains(&format!("idempotency-key: {call}")), "{}", server.requests()[0]);
        assert!(server.requests()[0].ends_with(r#"{"what":"x"}"#));
        let second = &model.requests()[1];
        assert!(second.contains(&call) && second.contains("{\\\"n\\\":7}"), "{second}");
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_goes_back_to_the_model() {
    let (model, server) = (model(r#"{"what":7}"#).await, Scripted::answering(|_| ok("{}")).await);
    let rig = tooled(rigs("test/small").await.remove(0), Approval::Auto);
    let _working = rig.work(with_tool(&model, &server.address));
    let id = rig.send(None, "Look!").await.loaded.id;
    let records = rig.wait(id, |events| ended(events) == 1).await;
    assert!(names(&records).contains(&"ToolCallFailed") && !names(&records).contains(&"ToolCallStarted"));
    assert!(model.requests()[1].contains("do not fit"), "{}", model.requests()[1]);
    assert!(server.requests().is_empty());
}

async fn waiting(rig: &Rig, id: ConversationId) -> ToolCallRequested {
    let records = rig.wait(id, |events| events.iter().any(|event| event.name() == "ToolCallRequested")).await;
    requested(&records).remove(0)
}

#[tokio::test]
async fn a_tool_that_needs_a_person_waits_for_one_over_a_restart() {
    for scale in 0..rigs("offline").await.len() {
        let (model, server) = (model(r#"{"what":"x"}"#).await, Scripted::answering(|_| ok("{\"n\":7}")).await);
        let rig = tooled(rigs("test/small").await.remove(scale), Approval::Ask);
        let first = rig.work(with_tool(&model, &server.address));
        let id = rig.send(None, "Look!").await.loaded.id;
        let wanted = waiting(&rig, id).await;
        assert!(wanted.needs_approval && wanted.writes && wanted.expires_at.is_some());
        first.drain().await;
        assert!(server.requests().is_empty(), "nobody has allowed it");
        let _second = rig.work(Settings { worker: "two".into(), ..with_tool(&model, &server.address) });
        let yes = ApproveToolCall {
            conversation: id,
            call: wanted.call,
            arguments: Some(json!({ "what": "y" })),
            objection: None,
            is_admin: false,
        };
        rig.commands.approve_tool_call(&rig.caller, yes.clone()).await.expect("approved");
        assert!(rig.commands.approve_tool_call(&rig.caller, yes).await.is_err(), "one decision wins");
        rig.wait(id, |events| ended(events) == 1).await;
        assert!(server.requests()[0].ends_with(r#"{"what":"y"}"#), "{}", server.requests()[0]);
        assert!(model.requests()[1].contains("A person changed the arguments"), "{}", model.requests()[1]);
    }
}

#[tokio::test]
async fn a_person_says_no_and_the_model_is_told_why() {
    let (model, server) = (model(r#"{"what":"x"}"#).await, Scripted::answering(|_| ok("{}")).await);
    let rig = tooled(rigs("test/small").await.remove(0), Approval::Ask);
    let _working = rig.work(with_tool(&model, &server.address));
    let id = rig.send(None, "Look!").await.loaded.id;
    let call = waiting(&rig, id).await.call;
    let no = RejectToolCall { conversation: id, call, reason: Some("too early".into()), is_admin: false };
    rig.commands.reject_tool_call(&rig.caller, no).await.expect("rejected");
    rig.wait(id, |events| ended(events) == 1).await;
    assert!(model.requests()[1].contains("A person said no: too early"), "{}", model.requests()[1]);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn nobody_decides_and_the_call_expires() {
    let (model, server) = (model(r#"{"what":"x"}"#).await, Scripted::answering(|_| ok("{}")).await);
    let rig = tooled(rigs("test/small").await.remove(0), Approval::Ask);
    let _working =
        rig.work(Settings { approval_expiry: Duration::from_millis(300), ..with_tool(&model, &server.address) });
    let id = rig.send(None, "Look!").await.loaded.id;
    rig.wait(id, |events| ended(events) == 1).await;
    assert!(model.requests()[1].contains("Nobody allowed it in time."), "{}", model.requests()[1]);
}

#[tokio::test]
async fn a_denied_tool_never_runs() {
    let (model, server) = (model(r#"{"what":"x"}"#).await, Scripted::answering(|_| ok("{}")).await);
    let rig = tooled(rigs("test/small").await.remove(0), Approval::Deny);
    let _working = rig.work(with_tool(&model, &server.address));
    let id = rig.send(None, "Look!").await.loaded.id;
    rig.wait(id, |events| ended(events) == 1).await;
    assert!(model.requests()[1].contains("not allowed here") && server.requests().is_empty());
}

#[tokio::test]
async fn a_write_whose_worker_died_is_uncertain_and_not_repeated() {
    for scale in 0..rigs("offline").await.len() {
        let (model, server) = (model(r#"{"what":"x"}"#).await, Scripted::answering(|_| vec![Act::Hang]).await);
        let rig = tooled(rigs("test/small").await.remove(scale), Approval::Auto);
        let short = |worker: &str| Settings {
            worker: worker.into(),
            lease: Duration::from_millis(600),
            ..with_tool(&model, &server.address)
        };
        let dead = rig.work(short("dead"));
        let id = rig.send(None, "Look!").await.loaded.id;
        wait_for_request(&server).await;
        drop(dead);
        let _heir = rig.work(short("heir"));
        let records = rig.wait(id, |events| ended(events) == 1).await;
        assert!(names(&records).contains(&"ToolCallUncertain"), "{:?}", names(&records));
        assert_eq!(server.requests().len(), 1, "never repeated");
        let last = model.requests().pop().expect("asked");
        assert!(last.contains("nobody knows whether it took place"), "{last}");
    }
}

async fn wait_for_request(server: &Scripted) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while server.requests().is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "nobody asked the tool");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_dead_worker_s_run_goes_on_after_its_tools_and_says_again_what_it_said() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let model = Scripted::answering(move |request| match request.contains("\"role\":\"tool\"") {
        false => vec![sse(), delta("Let me look. "), wants("look", r#"{"what":"x"}"#)],
        true if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 => vec![sse(), delta("Fo"), Act::Hang],
        true => vec![sse(), delta("Found it."), stop()],
    })
    .await;
    let server = Scripted::answering(|_| ok("{\"n\":7}")).await;
    let rig = tooled(rigs("test/small").await.remove(0), Approval::Auto);
    let mut tail = rig.log.tail().await.unwrap();
    let short = |worker: &str| Settings {
        worker: worker.into(),
        lease: Duration::from_millis(600),
        ..with_tool(&model, &server.address)
    };
    let dead = rig.work(short("dead"));
    let id = rig.send(None, "Look!").await.loaded.id;
    super::rig::chunks_until(&mut tail, id, |chunks| chunks.len() >= 3).await;
    drop(dead);
    let _heir = rig.work(short("heir"));
    let records = rig.wait(id, |events| ended(events) == 1).await;
    let end = completed(&records).remove(0);
    assert_eq!(end.epoch, 2);
    assert_eq!(rig.open(id, end.message, "text", &end.text).await, "Let me look. Found it.");
    assert_eq!(server.requests().len(), 1, "the tool ran once");
    super::assert_cut(&rig, &records, end.message, &mut tail).await;
    let calls = names(&records).iter().filter(|name| **name == "ModelCallEnded").count();
    assert_eq!((calls, model.requests().len()), (3, 3), "every upstream request is a call that ended");
    assert!(end.spent.estimated, "nobody knows what the dead worker's call took");
}

#[tokio::test]
async fn an_agent_asks_another_one() {
    let model = Scripted::answering(|request| match request {
        r if r.contains("I look things up.") => vec![sse(), delta("42"), stop()],
        r if r.contains("\"role\":\"tool\"") => vec![sse(), delta("It is 42."), stop()],
        _ => vec![sse(), wants("ask_agent", r#"{"agent":"librarian","request":"The answer?"}"#)],
    })
    .await;
    let rig = tooled(rigs("test/small").await.remove(0), Approval::Auto).with(|catalog| {
        let librarian = commands::AgentProfile::new("librarian", "knows", "test/small", "I look things up.");
        catalog.agents.insert("librarian".into(), librarian);
    });
    let _working = rig.work(with_tool(&model, "http://127.0.0.1:9"));
    let id = rig.send(None, "What is the answer?").await.loaded.id;
    let records = rig.wait(id, |events| ended(events) == 1).await;
    let texts = completed(&records);
    assert_eq!(texts.len(), 2);
    assert_eq!(rig.open(id, texts[1].message, "text", &texts[1].text).await, "It is 42.");
    let librarian = model.requests().into_iter().find(|request| request.contains("I look things up.")).expect("asked");
    assert!(librarian.contains("The answer?") && !librarian.contains("What is the answer?"), "{librarian}");
    let last = model.requests().pop().expect("asked");
    assert!(last.contains("\"content\":\"42\""), "{last}");
}
