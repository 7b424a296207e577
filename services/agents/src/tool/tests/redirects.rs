//! Redirects: each is a request of its own.

use tokio::net::TcpListener;

use super::server::{Answer, Server, json, redirect, text};
use super::*;

/// A server on 127.0.0.2, the only address that these tests open, and a canary on 127.0.0.1.
async fn open(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Server {
    Server::on(TcpListener::bind("127.0.0.2:0").await.unwrap(), answer)
}

fn tools(tool: HttpTool) -> Tools {
    let mut settings = ToolSettings { allow: vec!["127.0.0.2/32".into()], ..ToolSettings::default() };
    settings.http.insert("tool".into(), tool);
    Tools::new(&settings).expect("tools")
}

fn at(server: &Server, path: &str) -> String {
    format!("http://127.0.0.2:{}{path}", server.port)
}

#[tokio::test]
async fn s11_a_redirect_leads_nowhere_that_an_address_may_not() {
    let canary = Server::saying(text("chirp")).await;
    let port = canary.port;
    let targets = [
        format!("http://127.0.0.1:{port}/"),
        format!("//127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://me@127.0.0.1:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    for target in targets {
        for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
            let to = target.clone();
            let server = open(move |_| Answer::Bytes(redirect(status, &to))).await;
            failure(run(&tools(declared("GET", &at(&server, "/"))), "tool", json!({})).await);
            assert_eq!(server.requests().len(), 1);
        }
    }
    assert_eq!(canary.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn s11_three_redirects_are_followed_and_no_more() {
    for (hops, is_followed) in [(3, true), (4, false)] {
        let server = open(move |request| {
            let n: usize = request["GET /".len()..].split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            Answer::Bytes(if n < hops { redirect("302 Found", &format!("/{}", n + 1)) } else { json("1") })
        });
        let server = server.await;
        let outcome = run(&tools(declared("GET", &at(&server, "/0"))), "tool", json!({})).await;
        match is_followed {
            true => assert!(matches!(outcome, Outcome::Done { provenance, .. } if provenance.len() == 4)),
            false => assert!(failure(outcome).contains("more than 3 times")),
        }
        assert_eq!(server.requests().len(), 4);
    }
}

#[tokio::test]
async fn s11_our_headers_stay_with_the_server_that_they_are_for() {
    let other = open(|_| Answer::Bytes(json("2"))).await;
    let away = at(&other, "/");
    let server = open(move |request| {
        Answer::Bytes(if request.contains("/first") {
            redirect("302 Found", "/second")
        } else {
            redirect("307 T", &away)
        })
    });
    let server = server.await;
    let tool = HttpTool { headers: vec![bearer("planted-token")], ..declared("GET", &at(&server, "/first")) };
    assert_eq!(result(run(&tools(tool), "tool", json!({})).await), 2);
    let own = server.requests();
    assert_eq!(own.len(), 2);
    assert!(own.iter().all(|request| request.contains("authorization: bearer planted-token")), "{own:?}");
    let others = other.requests();
    assert!(!others[0].contains("authorization") && !others[0].contains("planted"), "{others:?}");
    assert!(others[0].contains("idempotency-key: call_01"));
}

#[tokio::test]
async fn a_redirect_keeps_the_method_or_asks_for_the_answer() {
    for (status, line) in
        [("307 T", "POST /there"), ("308 P", "POST /there"), ("303 S", "GET /there"), ("302 F", "GET /there")]
    {
        let server = open(move |request| {
            Answer::Bytes(if request.contains("/here") { redirect(status, "/there") } else { json("true") })
        });
        let server = server.await;
        assert_eq!(result(run(&tools(declared("POST", &at(&server, "/here"))), "tool", json!({ "a": 1 })).await), true);
        let second = server.requests()[1].clone();
        assert!(second.starts_with(line), "{status}: {second}");
        assert_eq!(second.contains("{\"a\":1}"), line.starts_with("POST"));
        assert_eq!(second.contains("content-type"), line.starts_with("POST"));
    }
}

#[tokio::test]
async fn a_write_that_was_taken_and_whose_answer_is_lost_on_the_way_is_uncertain() {
    for (status, is_taken) in [("303 See Other", true), ("307 Temporary", false)] {
        let server = open(move |_| Answer::Bytes(redirect(status, "http://127.0.0.1:1/"))).await;
        let outcome = run(&tools(declared("POST", &at(&server, "/"))), "tool", json!({})).await;
        assert_eq!(matches!(outcome, Outcome::Uncertain(_)), is_taken, "{outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Failed(_)), !is_taken);
    }
}
