//! Tools that every node has.

use super::server::{Answer, Server, http, json as json_answer, text};
use super::*;

fn at(name: &str, server: &Server) -> Tools {
    let mut settings = local();
    settings.tavily_key = Some(Secret::new("planted-tavily"));
    settings.github_token = Some(Secret::new("planted-github"));
    let own = BuiltIn { base_url: Some(server.url("/api/")), ..BuiltIn::default() };
    settings.built_in.insert(name.into(), own);
    Tools::new(&settings).expect("tools")
}

fn places(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Done { provenance, .. } => provenance.clone(),
        other => panic!("should be done: {other:?}"),
    }
}

#[tokio::test]
async fn a_search_gives_what_it_found_and_where() {
    let found = r#"{"query": "x", "response_time": 1.2, "results": [
        {"title": "One", "url": "https://one.example/a?token=t", "content": "text\u0000", "score": 0.9, "raw_content": null}]}"#;
    let server = Server::saying(json_answer(found)).await;
    let outcome = run(&at("web_search", &server), "web_search", json!({ "query": "rust" })).await;
    assert_eq!(places(&outcome), ["https://one.example/a"]);
    let result = result(outcome);
    assert_eq!(
        result,
        json!({ "results": [{ "title": "One", "url": "https://one.example/a?token=t", "content": "text" }] })
    );
    let request = &server.requests()[0];
    assert!(request.starts_with("POST /api/search HTTP/1.1"), "{request}");
    assert!(
        request.contains("authorization: bearer planted-tavily") && request.contains("\"query\":\"rust\""),
        "{request}"
    );
    assert!(request.contains("idempotency-key: call_01"));
}

#[tokio::test]
async fn a_search_without_its_key_says_which_one_is_missing() {
    let tools = Tools::new(&ToolSettings::default()).expect("tools");
    assert_eq!(tools.get("web_search").expect("tool").lacks, Some("TAVILY_API_KEY"));
    assert!(failure(run(&tools, "web_search", json!({ "query": "x" })).await).contains("TAVILY_API_KEY is not set"));
}

#[tokio::test]
async fn a_search_that_is_refused_shows_no_key() {
    let server = Server::saying(http("401 Unauthorized", "", r#"{"detail": "bad key planted-tavily"}"#)).await;
    let why = failure(run(&at("web_search", &server), "web_search", json!({ "query": "rust" })).await);
    assert_eq!(why, "the server answered HTTP 401: {\"detail\": \"bad key …\"}");
}

#[tokio::test]
async fn github_is_searched() {
    let found = r#"{"items": [{"full_name": "a/b", "html_url": "https://github.com/a/b", "stargazers_count": 5, "private": false}]}"#;
    let server = Server::saying(json_answer(found)).await;
    let tools = at("github", &server);
    let outcome = run(&tools, "github", json!({ "action": "search_repositories", "query": "event sourcing" })).await;
    assert_eq!(places(&outcome), ["https://github.com/a/b"]);
    assert_eq!(result(outcome)["found"][0]["stars"], 5);
    let request = &server.requests()[0];
    assert!(request.starts_with("GET /api/search/repositories?q=event+sourcing&per_page=10 "), "{request}");
    assert!(request.contains("authorization: bearer planted-github"));
    let why = failure(run(&tools, "github", json!({ "action": "search_code" })).await);
    assert_eq!(why, "the action search_code needs `query`");
}

#[tokio::test]
async fn github_shows_files_folders_and_issues() {
    let server = Server::start(|request| {
        Answer::Bytes(match request.split(' ').nth(1).unwrap_or_default() {
            "/api/repos/a/b/contents/src/a%20b.rs?ref=main" => {
                http("200 OK", "content-type: application/vnd.github.raw+json; charset=utf-8\r\n", "fn main() {}")
            }
            "/api/repos/a/b/contents/src" => json_answer(r#"[{"path": "src/a.rs", "type": "file", "html_url": null}]"#),
            _ => json_answer(
                r#"[{"number": 7, "title": "T", "user": {"login": "bob"}, "labels": [{"name": "bug"}], "body": "long"}]"#,
            ),
        })
    });
    let server = server.await;
    let tools = at("github", &server);
    let ask = async |arguments: Value| run(&tools, "github", arguments).await;
    let file = json!({ "action": "read_file", "repository": "a/b", "path": "/src/a b.rs", "ref": "main" });
    assert_eq!(result(ask(file).await), "fn main() {}");
    let folder = json!({ "action": "read_file", "repository": "a/b", "path": "src" });
    assert_eq!(result(ask(folder).await)["found"][0]["path"], "src/a.rs");
    let issues = result(ask(json!({ "action": "list_issues", "repository": "a/b" })).await);
    assert_eq!(issues["found"][0]["author"], "bob");
    assert_eq!(issues["found"][0]["labels"], json!(["bug"]));
    let seen = server.requests().len();
    for (repository, path) in [("../..", "x"), ("a/b", "../../x"), ("a/..", "x")] {
        let arguments = json!({ "action": "read_file", "repository": repository, "path": path });
        assert!(failure(ask(arguments).await).contains("`..`"));
    }
    assert_eq!(server.requests().len(), seen);
}

#[tokio::test]
async fn a_page_is_fetched_as_readable_text() {
    let server = Server::start(|request| {
        Answer::Bytes(match request.split(' ').nth(1).unwrap_or_default() {
            "/page" => http(
                "200 OK",
                "content-type: text/html\r\n",
                "<title>T</title><p>One<script>no</script><p><a href=/x>two</a>",
            ),
            "/latin" => http("200 OK", "content-type: text/html\r\n", b"<meta charset='iso-8859-1'><p>\xe4"),
            "/json" => json_answer(r#"{"a": [1]}"#),
            "/plain" => text("as <b>it</b> is"),
            "/missing" => http("404 Not Found", "content-type: text/html\r\n", "gone"),
            _ => http("200 OK", "content-type: application/pdf\r\n", "%PDF"),
        })
    });
    let server = server.await;
    let tools = Tools::new(&local()).expect("tools");
    let fetch = async |path: &str| run(&tools, "fetch_url", json!({ "url": server.url(path) })).await;
    let page = fetch("/page").await;
    assert_eq!(places(&page), [server.url("/page")]);
    assert_eq!(result(page), format!("T\n\nOne\n\ntwo ({})", server.url("/x")));
    assert_eq!(result(fetch("/latin").await), "ä");
    assert_eq!(result(fetch("/json").await), json!({ "a": [1] }));
    assert_eq!(result(fetch("/plain").await), "as <b>it</b> is");
    assert_eq!(failure(fetch("/missing").await), "the server answered HTTP 404: gone");
    assert!(failure(fetch("/pdf").await).contains("no text (application/pdf)"));
}

#[tokio::test]
async fn a_page_without_end_is_cut() {
    let page = "<p>word</p>".repeat(600_000);
    let server = Server::saying(http("200 OK", "content-type: text/html\r\n", page)).await;
    let tools = Tools::new(&local()).expect("tools");
    let said = result(run(&tools, "fetch_url", json!({ "url": server.url("/") })).await);
    let said = said.as_str().expect("text");
    assert!(said.starts_with("word\n\nword") && said.ends_with("fits into a result]"));
    assert!(said.len() < 257 << 10, "{}", said.len());
}

#[test]
fn another_agent_is_asked_by_name_and_with_a_request() {
    let tools = Tools::new(&ToolSettings::default()).expect("tools");
    let tool = tools.get("ask_agent").expect("tool");
    assert!(matches!(tool.kind, Kind::Agent));
    assert_eq!(tools.check(tool, r#"{"request": "r", "agent": "a"}"#), Ok(json!({ "agent": "a", "request": "r" })));
    assert!(
        tools.check(tool, r#"{"agent": "a"}"#).expect_err("incomplete").contains("\"request\" is a required property")
    );
    assert!(tools.get("nothing").is_none());
}

#[test]
fn every_tool_describes_itself_to_models() {
    let tools = Tools::new(&ToolSettings::default()).expect("tools");
    for (name, _) in BUILT_IN_TOOLS {
        let tool = tools.get(name).expect("tool");
        assert!(tool.name == name && !tool.description.is_empty() && tool.parameters["type"] == "object");
    }
}

#[test]
fn the_operators_rules_hold_for_built_in_tools_too() {
    let mut settings = ToolSettings::default();
    let rules = Rules { approval: Some(Approval::Ask), timeout: Some(Duration::from_secs(3)), ..Rules::default() };
    settings.built_in.insert("fetch_url".into(), BuiltIn { rules, ..BuiltIn::default() });
    let tools = Tools::new(&settings).expect("tools");
    let tool = tools.get("fetch_url").expect("tool");
    assert_eq!((tool.approval, tool.timeout), (Approval::Ask, Duration::from_secs(3)));
    settings.built_in.insert("fetch".into(), BuiltIn::default());
    assert!(refusal(&settings).contains("tools.fetch is no built-in tool"));
}
