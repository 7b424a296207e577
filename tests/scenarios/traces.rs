//! What a collector of spans and a reader of `/metrics` see of an answer, and what they never see.

use std::time::Duration;

use serde_json::{Value, json};
use tests::client::{Client, is_turn_end, text};
use tests::collector::{Collector, Span};
use tests::history::History;
use tests::sandbox::{Form, JWT_SECRET, Role, Sandbox};
use tests::tool_server::ToolServer;
use tests::upstream::{Step, Upstream, words};
use tokio::net::TcpListener;

use crate::team::{tooled, used_tools};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
/// What a person, a model and a tool call say.
const PLANTED: [&str; 4] = ["plumbago", "quercetin", "sassafras", "tamarind"];

/// A model that says something, wants a note, and says something else.
fn planted(body: &Value) -> Vec<Step> {
    if used_tools(body) {
        return vec![Step::Say(PLANTED[3].into()), Step::Finish];
    }
    let note = json!({ "text": PLANTED[2] }).to_string();
    vec![Step::Say(PLANTED[1].into()), Step::Want("note", note), Step::FinishWithTools]
}

fn exporting(sandbox: Sandbox, endpoint: &str) -> Sandbox {
    sandbox.with("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).with("OTEL_BSP_SCHEDULE_DELAY", "50")
}

/// A message and everything that follows from it.
async fn answered(client: &Client) -> Vec<Value> {
    let id = client.start_conversation(None).await;
    let mut updates = client.updates(&id, Some("0")).await;
    client.send(Some(&id), PLANTED[0]).await;
    let seen = updates.until(is_turn_end).await;
    History(&seen).check();
    seen
}

fn assert_attributes(span: &Span, expected: Value) {
    let attributes: Value = json!(span.attributes);
    assert_eq!(attributes, expected, "{}", span.name);
}

#[tokio::test]
async fn an_answer_s_spans_have_the_standard_names_and_the_client_s_trace_and_hold_no_text() {
    for form in Form::at_hand() {
        let (upstream, tools) = (Upstream::start(planted).await, ToolServer::start(Duration::ZERO).await);
        let collector = Collector::start().await;
        let sandbox = exporting(tooled(form, &upstream, &tools, "").await, &collector.endpoint);
        let cluster = sandbox.with("OTEL_EXPORTER_OTLP_HEADERS", "x-key=mine").cluster().await;
        let alice = cluster.client("alice", 0).traced(&format!("00-{TRACE}-{PARENT}-01"));
        let seen = answered(&alice).await;
        let spans = collector.trace(TRACE, 5).await;
        let [wants, chat, tool, goes_on, last] = &spans[..] else { panic!("{form}: {spans:#?}") };
        let shown = |span: &Span| (span.name.clone(), span.kind, span.parent.clone(), span.failed);
        let expected = |name: &str, kind, parent: &str| (name.to_owned(), kind, parent.to_owned(), false);
        assert_eq!(shown(wants), expected("invoke_agent assistant", 1, PARENT), "{form}");
        assert_eq!(shown(chat), expected("chat scripted", 3, &wants.id), "{form}");
        assert_eq!(shown(tool), expected("execute_tool note", 1, &wants.id), "{form}");
        assert_eq!(shown(goes_on), expected("invoke_agent assistant", 1, &wants.id), "{form}");
        assert_eq!(shown(last), expected("chat scripted", 3, &goes_on.id), "{form}");
        let conversation = text(&seen[0]["conversationId"]);
        let model = |operation: &str, reason: &str| {
            json!({
                "gen_ai.operation.name": operation, "gen_ai.agent.name": "assistant", "gen_ai.provider.name": "openai",
                "gen_ai.conversation.id": conversation, "gen_ai.request.model": "scripted",
                "gen_ai.response.finish_reasons": [reason], "gen_ai.usage.input_tokens": 3,
                "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 0,
                "gen_ai.usage.reasoning.output_tokens": 0,
            })
        };
        assert_attributes(wants, model("invoke_agent", "tool_calls"));
        assert_attributes(chat, model("chat", "tool_calls"));
        assert_attributes(goes_on, model("invoke_agent", "stop"));
        assert_attributes(last, model("chat", "stop"));
        let call = text(&History(&seen).last("ToolCallRequested")["toolCallId"]);
        assert_attributes(
            tool,
            json!({
                "gen_ai.operation.name": "execute_tool", "gen_ai.agent.name": "assistant", "gen_ai.tool.name": "note",
                "gen_ai.tool.call.id": call, "gen_ai.conversation.id": conversation,
            }),
        );
        for (headers, body) in collector.requests() {
            assert_eq!(headers["x-key"], "mine", "{form}");
            let holds = |words: &str| body.windows(words.len()).any(|window| window == words.as_bytes());
            let secrets = [JWT_SECRET, alice.token.as_str(), upstream.base_url.as_str(), "I am"];
            let found: Vec<_> = PLANTED.into_iter().chain(secrets).filter(|words| holds(words)).collect();
            assert!(found.is_empty() && holds("assistant"), "{form}: {found:?}");
        }
        assert!(spans.iter().all(|span| span.service == "loquent"), "{form}");
    }
}

#[tokio::test]
async fn a_message_without_a_trace_begins_one() {
    let upstream = Upstream::start(|_| vec![Step::Status(400)]).await;
    let collector = Collector::start().await;
    let sandbox = exporting(Sandbox::new(Form::Embedded).await.model(&upstream.base_url), &collector.endpoint);
    let cluster = sandbox.with("OTEL_SERVICE_NAME", "ours").cluster().await;
    answered(&cluster.client("alice", 0)).await;
    let found = async {
        loop {
            let spans = collector.spans();
            if let Some(chat) = spans.iter().find(|span| span.name == "chat scripted") {
                return chat.trace.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let trace = tokio::time::timeout(tests::PATIENCE, found).await.expect("the model's span");
    let spans = collector.trace(&trace, 3).await;
    let [root, run, chat] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((root.name.as_str(), root.kind, root.parent.as_str()), ("GraphQL Operation", 2, ""));
    assert_eq!((&run.parent, &chat.parent), (&root.id, &run.id));
    for span in [run, chat] {
        assert!(span.failed && span.attributes["error.type"] == "refused" && span.service == "ours", "{span:?}");
    }
}

#[tokio::test]
async fn the_last_spans_leave_before_the_process_ends() {
    let upstream = Upstream::start(|_| words(2, Duration::ZERO)).await;
    let collector = Collector::start().await;
    let sandbox = exporting(Sandbox::new(Form::Embedded).await.model(&upstream.base_url), &collector.endpoint);
    let mut cluster = sandbox.with("OTEL_BSP_SCHEDULE_DELAY", "3600000").cluster().await;
    answered(&cluster.client("alice", 0).traced(&format!("00-{TRACE}-{PARENT}-01"))).await;
    assert!(collector.spans().is_empty());
    cluster.terminate(Role::Gateway, 0, Duration::from_secs(30)).await;
    assert_eq!(collector.spans().iter().filter(|span| span.trace == TRACE).count(), 2);
}

#[tokio::test]
async fn a_collector_that_is_not_there_or_says_nothing_changes_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = (format!("http://{}", silent.local_addr().expect("an address")), silent);
    for endpoint in ["http://127.0.0.1:1", &silent.0] {
        let upstream = Upstream::start(|_| words(2, Duration::ZERO)).await;
        let sandbox = exporting(Sandbox::new(Form::Embedded).await.model(&upstream.base_url), endpoint);
        let mut cluster = sandbox.with("OTEL_EXPORTER_OTLP_TIMEOUT", "300").cluster().await;
        let alice = cluster.client("alice", 0);
        let complaints = |said: String| said.matches("spans cannot be exported").count();
        let complained = async {
            while complaints(cluster.process(Role::Gateway, 0).said()) == 0 {
                answered(&alice).await;
            }
        };
        tokio::time::timeout(tests::PATIENCE, complained).await.expect("a line about it");
        for _ in 0..10 {
            answered(&alice).await;
        }
        assert_eq!(complaints(cluster.process(Role::Gateway, 0).said()), 1, "{endpoint}");
        cluster.terminate(Role::Gateway, 0, Duration::from_secs(10)).await;
    }
}

#[tokio::test]
async fn metrics_have_the_standard_names() {
    let (upstream, tools) = (Upstream::start(planted).await, ToolServer::start(Duration::ZERO).await);
    let cluster = tooled(Form::Embedded, &upstream, &tools, "").await.cluster().await;
    let alice = cluster.client("alice", 0);
    answered(&alice).await;
    let page = reqwest::Client::builder().no_proxy().build().expect("a client");
    let page = page.get(format!("{}/metrics", alice.address)).send().await.expect("an answer");
    let page = page.text().await.expect("a text");
    let chat = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\"";
    let tool = "gen_ai_operation_name=\"execute_tool\",gen_ai_tool_name=\"note\",outcome=\"completed\"";
    for line in [
        format!("gen_ai_client_operation_duration_seconds_count{{{chat}}} 2\n"),
        format!("gen_ai_client_operation_duration_seconds_bucket{{{chat},le=\"81.92\"}} 2\n"),
        format!("gen_ai_client_operation_time_to_first_chunk_seconds_bucket{{{chat},le=\"10\"}} 2\n"),
        format!("gen_ai_client_token_usage_sum{{{chat},gen_ai_token_type=\"input\"}} 6\n"),
        format!("gen_ai_client_token_usage_bucket{{{chat},gen_ai_token_type=\"output\",le=\"16\"}} 2\n"),
        format!("gen_ai_execute_tool_duration_seconds_count{{{tool}}} 1\n"),
        "loquent_breaker_state{provider=\"openai\"} 0\n".into(),
        "loquent_queue_depth{kind=\"turn\"} 0\n".into(),
        "loquent_queue_depth{kind=\"run\"} 0\n".into(),
        "loquent_queue_depth{kind=\"tool\"} 0\n".into(),
    ] {
        assert!(page.contains(&line), "{line}in\n{page}");
    }
    assert!(PLANTED.iter().all(|words| !page.contains(words)));
}
