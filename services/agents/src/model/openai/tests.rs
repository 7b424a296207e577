//! Against a server that misbehaves in every way we know of.

use std::time::Duration;

use futures::StreamExt;
use tokio::net::TcpListener;

use events::{ChunkKind, FinishReason, Usage};

use super::*;
use crate::prompt::Role;
use crate::scripted::{Act, Scripted, delta, head, send, sse, stop};
use crate::settings::{ProviderKind, Secret};

fn timeouts() -> Timeouts {
    let short = Duration::from_millis(300);
    Timeouts { connect: short, first_token: short, idle: short, total: Duration::from_secs(5) }
}

fn server(address: &str, timeouts: Timeouts) -> Server {
    let api_key = Some(Secret::new("sk-secret"));
    Server::new(Provider { kind: ProviderKind::OpenAi, base_url: address.into(), api_key }, timeouts, 1 << 20)
}

fn request() -> Bytes {
    body("small", &Prompt(vec![Line { role: Role::User, content: "Hi".into() }]))
}

/// Everything that came, the texts of both kinds joined, and how it ended.
async fn ask(address: &str, timeouts: Timeouts) -> (String, String, Vec<Said>, Option<Failure>) {
    let (mut text, mut reasoning, mut rest, mut failure) = (String::new(), String::new(), Vec::new(), None);
    let mut said = Box::pin(server(address, timeouts).stream(request()));
    while let Some(item) = said.next().await {
        match item {
            Ok(Said::Piece(ChunkKind::Reasoning, piece)) => reasoning.push_str(&piece),
            Ok(Said::Piece(_, piece)) => text.push_str(&piece),
            Ok(other) => rest.push(other),
            Err(error) => failure = Some(error),
        }
    }
    (text, reasoning, rest, failure)
}

#[tokio::test]
async fn an_answer_streams_with_reasoning_and_usage() {
    let usage = "{\"prompt_tokens\":9,\"completion_tokens\":5,\"total_tokens\":14}";
    let script = vec![
        sse(),
        send(
            ": hello\r\n\r\nevent: x\r\ndata:{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n",
        ),
        send("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"),
        delta("Hel"),
        delta("lo ä"),
        send("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"),
        send(&format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n")),
        Act::Hang,
    ];
    let scripted = Scripted::start(vec![script]).await;
    let (text, reasoning, rest, failure) = ask(&scripted.address, timeouts()).await;
    assert_eq!((text.as_str(), reasoning.as_str(), failure), ("Hello ä", "hm", None));
    let counted = Usage { input_tokens: 9, output_tokens: 5, ..Usage::default() };
    assert_eq!(rest, [Said::Usage(counted), Said::Finished(FinishReason::Length)]);
    let seen = scripted.requests().remove(0);
    assert!(seen.starts_with("POST /v1/chat/completions HTTP/1.1"));
    assert!(seen.contains("authorization: Bearer sk-secret"));
    let expected = r#"{"model":"small","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}"#;
    assert!(seen.ends_with(expected), "{seen}");
}

#[tokio::test]
async fn a_server_that_never_begins_is_left_after_the_first_token_s_time() {
    for script in [vec![Act::Hang], vec![sse(), send(": wait\n\n"), Act::Hang]] {
        let scripted = Scripted::start(vec![script]).await;
        let failure = ask(&scripted.address, timeouts()).await.3.expect("failed");
        assert_eq!(failure.class, "timeout_first_token");
        assert_eq!(failure.reason, "the model did not begin to answer within 300ms");
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_and_the_part_that_came_stays() {
    let scripted = Scripted::start(vec![vec![sse(), delta("part"), Act::Hang]]).await;
    let (text, _, _, failure) = ask(&scripted.address, timeouts()).await;
    assert_eq!((text.as_str(), failure.expect("failed").class), ("part", "timeout_idle"));
}

#[tokio::test]
async fn comments_alone_do_not_keep_an_answer_alive() {
    let mut script = vec![sse(), delta("part")];
    script.extend((0..100).flat_map(|_| [send(": still here\n\n"), Act::Pause(Duration::from_millis(20))]));
    let scripted = Scripted::start(vec![script]).await;
    assert_eq!(ask(&scripted.address, timeouts()).await.3.expect("failed").class, "timeout_idle");
}

#[tokio::test]
async fn an_endless_answer_is_left_after_the_whole_time() {
    let endless = (0..1000).flat_map(|_| [delta("x"), Act::Pause(Duration::from_millis(10))]);
    let scripted = Scripted::start(vec![std::iter::once(sse()).chain(endless).collect()]).await;
    let short = Timeouts { total: Duration::from_millis(400), ..timeouts() };
    let (text, _, _, failure) = ask(&scripted.address, short).await;
    assert_eq!(failure.expect("failed").class, "timeout_total");
    assert!(text.len() > 3);
}

#[tokio::test]
async fn a_slow_but_steady_answer_is_waited_for() {
    let steady = (0..5).flat_map(|_| [Act::Pause(Duration::from_millis(150)), delta("x")]);
    let scripted = Scripted::start(vec![std::iter::once(sse()).chain(steady).chain([stop()]).collect()]).await;
    let (text, _, rest, failure) = ask(&scripted.address, timeouts()).await;
    assert_eq!((text.as_str(), failure), ("xxxxx", None));
    assert_eq!(rest, [Said::Finished(FinishReason::Stop)]);
}

#[tokio::test]
async fn a_cut_is_a_failure_unless_the_answer_was_whole() {
    let scripted = Scripted::start(vec![vec![sse(), delta("part")]]).await;
    let (text, _, _, failure) = ask(&scripted.address, timeouts()).await;
    assert_eq!(text, "part");
    assert_eq!(failure.expect("failed").reason, "the model's server cut the connection");
    let finished = send("data: {\"choices\":[{\"delta\":{\"content\":\"all\"},\"finish_reason\":\"stop\"}]}");
    let scripted = Scripted::start(vec![vec![sse(), finished]]).await;
    let (text, _, rest, failure) = ask(&scripted.address, timeouts()).await;
    assert_eq!((text.as_str(), failure), ("all", None));
    assert_eq!(rest, [Said::Finished(FinishReason::Stop)]);
}

#[tokio::test]
async fn garbage_is_a_failure_and_never_an_answer() {
    let garbage: [&[u8]; 4] =
        [b"data: <html>\n\n", b"data: {\"choices\":\n\n", b"\xff\xfe\x00\x01\n", b"data: {\"object\":1}\n\n"];
    for bytes in garbage {
        let scripted = Scripted::start(vec![vec![sse(), Act::Send(bytes.to_vec()), Act::Hang]]).await;
        assert_eq!(ask(&scripted.address, timeouts()).await.3.expect("failed").class, "garbage");
    }
    let scripted = Scripted::start(vec![vec![sse(), send("<html>hello</html>\n")]]).await;
    assert_eq!(ask(&scripted.address, timeouts()).await.3.expect("failed").class, "cut");
}

#[tokio::test]
async fn a_line_of_ten_megabytes_is_a_failure_that_costs_no_more_than_the_limit() {
    let mut script = vec![sse(), send("data: ")];
    script.extend((0..160).map(|_| Act::Send(vec![b'a'; 64 << 10])));
    let scripted = Scripted::start(vec![script]).await;
    let generous = Timeouts { first_token: Duration::from_secs(5), ..timeouts() };
    assert_eq!(ask(&scripted.address, generous).await.3.expect("failed").class, "too_long");
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_told_why_when_it_stays_busy() {
    let busy =
        || vec![head("429 Too Many Requests", "retry-after: 0\r\n"), send("{\"error\":{\"message\":\"slow down\"}}")];
    let scripted = Scripted::start(vec![busy(), vec![sse(), delta("ok"), stop()]]).await;
    let (text, _, _, failure) = ask(&scripted.address, timeouts()).await;
    assert_eq!((text.as_str(), failure, scripted.requests().len()), ("ok", None, 2));
    let scripted = Scripted::start(vec![busy(), busy(), busy(), busy()]).await;
    let failure = ask(&scripted.address, timeouts()).await.3.expect("failed");
    assert_eq!(failure.reason, "the model's server takes no more requests for now (HTTP 429): slow down");
    assert_eq!(scripted.requests().len(), 3);
    let patient = vec![head("429 Too Many Requests", "retry-after: 3600\r\n")];
    let scripted = Scripted::start(vec![patient]).await;
    assert_eq!(ask(&scripted.address, timeouts()).await.3.expect("failed").class, "rate_limited");
}

#[tokio::test]
async fn a_failing_server_is_asked_again_only_before_the_answer_begins() {
    let failing = || vec![head("503 Service Unavailable", "retry-after: 0\r\n")];
    let scripted = Scripted::start(vec![failing(), failing(), vec![sse(), delta("ok"), stop()]]).await;
    assert_eq!(ask(&scripted.address, timeouts()).await.0, "ok");
    let error = send("data: {\"error\":{\"message\":\"overloaded\"}}\n\n");
    let scripted = Scripted::start(vec![vec![sse(), delta("part"), error]]).await;
    let (text, _, _, failure) = ask(&scripted.address, timeouts()).await;
    assert_eq!(text, "part");
    assert_eq!(failure.expect("failed").reason, "the model's server reported an error: overloaded");
    assert_eq!(scripted.requests().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_final_and_never_shows_the_key() {
    let body = "{\"error\":{\"message\":\"Incorrect key sk-secret\"}}";
    let scripted = Scripted::start(vec![vec![head("401 Unauthorized", ""), send(body)]]).await;
    let failure = ask(&scripted.address, timeouts()).await.3.expect("failed");
    assert_eq!(failure.reason, "the model's server refused our key (HTTP 401): Incorrect key …");
    assert_eq!(scripted.requests().len(), 1);
    let away = vec![head("302 Found", "location: http://127.0.0.1:1/\r\n")];
    let scripted = Scripted::start(vec![away]).await;
    assert_eq!(ask(&scripted.address, timeouts()).await.3.expect("failed").class, "refused");
}

#[tokio::test]
async fn nobody_at_the_address_is_a_failure_with_a_plain_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let failure = ask(&address, timeouts()).await.3.expect("failed");
    assert_eq!(failure.reason, "the model's server cannot be reached");
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = r#"{"choices":[{"message":{"content":"All at once"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":3}}"#;
    let headers = format!("content-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n", body.len());
    let scripted = Scripted::start(vec![vec![head("200 OK", &headers), send(body), Act::Hang]]).await;
    let (text, _, rest, failure) = ask(&scripted.address, timeouts()).await;
    assert_eq!((text.as_str(), failure, rest.len()), ("All at once", None, 2));
}
