//! Tools that the settings declare.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::net::TcpListener;

use super::server::{Answer, Server, http, json as json_answer, text};
use super::*;

#[tokio::test]
async fn arguments_are_the_json_body_and_the_call_is_the_idempotency_key() {
    let server = Server::saying(json_answer(r#"{"deleted": "b\u0000\u001b", "n": 1.5}"#)).await;
    let outcome = call(declared("POST", &server.url("/delete?mode=soft&token=x")), json!({ "name": "ä" })).await;
    let provenance = vec![server.url("/delete?mode=soft")];
    assert_eq!(outcome, Outcome::done(json!({ "deleted": "b", "n": 1.5 }), provenance));
    let request = &server.requests()[0];
    assert!(request.starts_with("POST /delete?mode=soft&token=x HTTP/1.1"), "{request}");
    assert!(request.contains("content-type: application/json") && request.ends_with("{\"name\":\"ä\"}"), "{request}");
    assert!(request.contains("idempotency-key: call_01"));
}

#[tokio::test]
async fn a_get_takes_arguments_into_its_query() {
    let server = Server::saying(text("fine")).await;
    let arguments = json!({ "q": "a b&c", "n": 2, "tags": ["x", "y"], "deep": { "a": true }, "nothing": null });
    assert_eq!(result(call(declared("GET", &server.url("/s?v=1")), arguments).await), "fine");
    let request = &server.requests()[0];
    let line = "GET /s?v=1&deep=%7B%22a%22%3Atrue%7D&n=2&q=a+b%26c&tags=x&tags=y HTTP/1.1";
    assert!(request.starts_with(line), "{request}");
    assert!(!request.contains("content-type"));
}

#[tokio::test]
async fn a_refusal_is_quoted_in_one_short_line_without_our_secrets() {
    let body = format!("no:\n planted-token\u{1b} {}", "x".repeat(1000));
    let server = Server::saying(http("403 Forbidden", "content-type: text/plain\r\n", body)).await;
    let tool = HttpTool { headers: vec![bearer("planted-token")], ..declared("POST", &server.url("/")) };
    let why = failure(call(tool, json!({})).await);
    assert!(why.starts_with("the server answered HTTP 403: no: … xxx"), "{why}");
    assert!(why.len() < 400 && !why.contains("planted"), "{why}");
    assert!(server.requests()[0].contains("authorization: bearer planted-token"));
}

#[tokio::test]
async fn a_result_that_repeats_our_secret_is_shown_without_it() {
    let server = Server::saying(json_answer(r#"{"headers": {"authorization": "Bearer planted-token"}}"#)).await;
    let tool = HttpTool { headers: vec![bearer("planted-token")], ..declared("GET", &server.url("/")) };
    assert_eq!(result(call(tool.clone(), json!({})).await)["headers"]["authorization"], "Bearer …");
    assert!(!format!("{:?}", with(tool)).contains("planted"));
}

#[tokio::test]
async fn a_long_result_is_cut_and_says_so() {
    let limited = |url: String| {
        let tool = declared("GET", &url);
        HttpTool { rules: Rules { result_limit: Some(10), ..tool.rules.clone() }, ..tool }
    };
    let long = Server::saying(json_answer(r#"["0123456789"]"#)).await;
    let said = result(call(limited(long.url("/")), json!({})).await);
    assert_eq!(said, "[\"01234567\n[cut here: there is more than fits into a result]");
    let short = Server::saying(text("0123456789")).await;
    assert_eq!(result(call(limited(short.url("/")), json!({})).await), "0123456789");
}

#[tokio::test]
async fn s11_what_unpacks_to_more_than_is_taken_is_cut() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..64 {
        packed.write_all(&vec![b'a'; 1 << 20]).expect("packed");
    }
    let packed = packed.finish().expect("packed");
    assert!(packed.len() < 100_000);
    let headers = "content-type: text/plain\r\ncontent-encoding: gzip\r\n";
    let bomb = Server::saying(http("200 OK", headers, &packed)).await;
    let said = result(call(declared("GET", &bomb.url("/")), json!({})).await);
    let said = said.as_str().expect("text");
    assert!(said.len() < 300 << 10 && said.ends_with("fits into a result]"), "{}", said.len());
    let half = Server::saying(http("200 OK", headers, &packed[..1000])).await;
    let tool = HttpTool {
        rules: Rules { result_limit: Some(512 << 10), ..Rules::default() },
        ..declared("GET", &half.url("/"))
    };
    assert!(!matches!(call(tool, json!({})).await, Outcome::Uncertain(_)));
}

#[tokio::test]
async fn what_is_no_text_is_named_and_not_shown() {
    let picture = Server::saying(http("200 OK", "content-type: image/png\r\n", [0x89, 0, 1])).await;
    let said = result(call(declared("POST", &picture.url("/")), json!({})).await);
    assert_eq!(said, "HTTP 200, with content that is no text (image/png) and is not shown");
    let nothing = Server::saying(http("204 No Content", "", "")).await;
    assert_eq!(result(call(declared("DELETE", &nothing.url("/")), json!({})).await), "HTTP 204, without content");
    let latin = Server::saying(http("200 OK", "content-type: text/plain; charset=\"iso-8859-1\"\r\n", [0xe4])).await;
    assert_eq!(result(call(declared("GET", &latin.url("/")), json!({})).await), "ä");
}

/// How reads and writes end when the server does this.
async fn ends(answer: fn() -> Answer) -> (Outcome, Outcome) {
    let server = Server::start(move |_| answer()).await;
    let patient = |method| {
        let tool = declared(method, &server.url("/"));
        HttpTool { rules: Rules { timeout: Some(Duration::from_millis(300)), ..Rules::default() }, ..tool }
    };
    (call(patient("GET"), json!({})).await, call(patient("POST"), json!({})).await)
}

#[tokio::test]
async fn a_write_without_a_full_answer_is_uncertain_and_a_read_has_failed() {
    let faults: [fn() -> Answer; 6] = [
        || Answer::Hang(Vec::new()),
        || Answer::Bytes(Vec::new()),
        || Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        || Answer::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
        || Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()),
        || Answer::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()),
    ];
    for fault in faults {
        let (read, write) = ends(fault).await;
        assert!(matches!(read, Outcome::Failed(_)), "{read:?}");
        assert!(matches!(write, Outcome::Uncertain(_)), "{write:?}");
    }
}

#[tokio::test]
async fn a_write_that_was_refused_has_failed_whatever_became_of_the_words() {
    let (_, write) = ends(|| Answer::Bytes(http("500 Oops", "", "broken"))).await;
    assert_eq!(write, Outcome::Failed("the server answered HTTP 500: broken".into()));
    let (_, write) = ends(|| Answer::Hang(b"HTTP/1.1 409 Conflict\r\ncontent-length: 10\r\n\r\nha".to_vec())).await;
    assert_eq!(write, Outcome::Failed("the server answered HTTP 409: ha".into()));
}

#[tokio::test]
async fn a_write_that_no_server_saw_has_failed() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let why = failure(call(declared("POST", &format!("http://127.0.0.1:{closed}/")), json!({})).await);
    assert!(why.ends_with("cannot be reached"), "{why}");
    let why = failure(call(declared("POST", "http://10.0.0.1/"), json!({})).await);
    assert!(why.starts_with("tools may not reach 10.0.0.1"), "{why}");
    // It hangs up before anything was agreed on.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    failure(call(declared("POST", &format!("https://127.0.0.1:{port}/")), json!({})).await);
}

#[tokio::test]
async fn a_read_is_asked_once_as_long_as_its_result_is_good() {
    let server = Server::saying(json_answer("{}")).await;
    let tool = declared("GET", &server.url("/"));
    let cached = Rules { cache: Some(Duration::from_secs(60)), ..tool.rules.clone() };
    let tools = Tools::new(&with(HttpTool { rules: cached, ..tool })).expect("tools");
    let tool = tools.get("tool").expect("tool");
    let ask = async |tenant, arguments: &str| {
        let arguments = tools.check(tool, arguments).expect("fits");
        matches!(tools.run(tool, Call { tenant, id: "call_1" }, &arguments).await, Outcome::Done { cached: true, .. })
    };
    assert!(!ask("a", r#"{"x":1,"y":2}"#).await);
    assert!(ask("a", r#"{ "y": 2, "x": 1.0 }"#).await, "the same arguments in other words");
    assert!(!ask("b", r#"{"x":1,"y":2}"#).await, "another tenant");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn defaults_follow_the_method_and_a_write_asks() {
    let tool = |declared: HttpTool| {
        let tools = Tools::new(&with(declared)).expect("tools");
        let tool = tools.get("tool").expect("tool");
        (tool.effect, tool.idempotent, tool.approval)
    };
    assert_eq!(tool(declared("GET", "https://host/")), (Effect::Read, true, Approval::Auto));
    assert_eq!(tool(declared("PUT", "https://host/")), (Effect::Write, false, Approval::Ask));
    let search = HttpTool { effect: Some(Effect::Read), ..declared("POST", "https://host/") };
    assert_eq!(tool(search), (Effect::Read, true, Approval::Auto));
    let rules = Rules { approval: Some(Approval::Deny), ..Rules::default() };
    let tool = tool(HttpTool { idempotent: Some(true), rules, ..declared("POST", "https://host/") });
    assert_eq!(tool, (Effect::Write, true, Approval::Deny));
    assert!(Approval::Auto < Approval::Ask && Approval::Ask < Approval::Deny);
}

#[test]
fn a_tool_that_cannot_work_is_refused_at_the_start() {
    let usual = || declared("POST", "https://host/");
    let rules = |rules: Rules| refusal(&with(HttpTool { rules, ..usual() }));
    assert!(refusal(&with(declared("FETCH", "https://host/"))).starts_with("tools.tool: \"FETCH\" is no method"));
    assert!(refusal(&with(declared("GET", "host/path"))).contains("not understood"));
    assert!(refusal(&with(declared("GET", "ftp://host/"))).contains("http:// or https://"));
    assert!(refusal(&with(declared("GET", "https://me:planted@host/"))).contains("belong into headers"));
    assert!(
        refusal(&with(HttpTool { parameters: json!({ "type": "array" }), ..usual() })).contains("of type \"object\"")
    );
    assert!(rules(Rules { timeout: Some(Duration::from_secs(16)), ..Rules::default() }).contains("at most 15s"));
    assert!(rules(Rules { cache: Some(Duration::from_secs(1)), ..Rules::default() }).contains("that read"));
    assert!(rules(Rules { result_limit: Some(1 << 20), ..Rules::default() }).contains("result_limit"));
    let header = Header { name: "Host".into(), value: Secret::new("x"), secrets: Vec::new() };
    assert!(refusal(&with(HttpTool { headers: vec![header], ..usual() })).contains("Host"));
    let mut settings = ToolSettings::default();
    settings.http.insert("fetch_url".into(), usual());
    assert!(refusal(&settings).contains("built-in"));
    let settings = ToolSettings { allow: vec!["localhost".into()], ..ToolSettings::default() };
    assert!(refusal(&settings).starts_with("egress.allow: \"localhost\" is no network"));
}
