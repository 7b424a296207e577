//! Quality S11: whatever address a tool is given, nothing on this machine or its network is reached unless it was opened.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use tokio::net::TcpListener;

use super::server::{Answer, Server, text};
use super::*;
use crate::tool::egress::{Guard, Lookup};

/// Addresses that lead to this machine, by every detour that is known; `PORT` is the canary's.
const THIS_MACHINE: &[&str] = &[
    "http://127.0.0.1:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://127.1.:PORT/",
    "http://127.255.255.254:PORT/",
    "http://127.0.0.2:PORT/",
    "http://0x7f.1:PORT/",
    "http://0X7F.1:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7f.0x0.0x0.0x1:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://017700000001:PORT/",
    "http://00000177.0.0.1:PORT/",
    "http://2130706433:PORT/",
    "http://0:PORT/",
    "http://0.0.0.0:PORT/",
    "http://0x0:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://１２７.0.0.1:PORT/",
    "http://127。0。0。1:PORT/",
    "http://127．0．0．1:PORT/",
    "http://①②⑦.0.0.1:PORT/",
    "http://[::1]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[::]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/",
    "http://localhost:PORT/",
    "http://LocalHost:PORT/",
    "http://localhost.:PORT/",
    "http://a.localhost:PORT/",
    "http://a.b.localhost.:PORT/",
    "http://loopback.test:PORT/",
    "http://zero.test:PORT/",
    "http://six.test:PORT/",
    "http://mapped.test:PORT/",
    "http:127.0.0.1:PORT/",
    "http:///127.0.0.1:PORT/",
    "http:\\\\127.0.0.1:PORT\\",
    "http://127.0.0.1:PORT#@public.test/",
    "http://127.0.0.1:PORT?@public.test/",
    "http://127.0.0.1:PORT\\@public.test/",
    " http://127.0.0.1:PORT/ ",
    "ht\ntp://127.0.0.1:PORT/",
    "http://127.0.\t0.1:PORT/",
    "HTTP://127.0.0.1:PORT/",
];

/// Addresses of networks that are nobody's business, and what is no address of a page.
const ELSEWHERE: &[&str] = &[
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://169.254.169.254/latest/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://[::ffff:169.254.169.254]/",
    "http://100.100.100.200/",
    "http://100.64.0.1/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://192.88.99.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://metadata.google.internal/",
    "http://private.test/",
    "http://nat64.test/",
    "https://private.test/",
    "http://user:pw@127.0.0.1:PORT/",
    "http://public.test@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT@loopback.test:PORT/",
    "http://localhost%00.public.test/",
    "http://127.0.0.1:PORT:80/",
    "http://[::1%25eth0]:PORT/",
    "http://256.0.0.1/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:PORT/",
    "gopher://127.0.0.1:PORT/_x",
    "dict://127.0.0.1:PORT/",
    "data:text/plain,x",
    "ws://127.0.0.1:PORT/",
    "ldap://127.0.0.1:PORT/",
    "javascript:alert(1)",
    "jar:http://127.0.0.1:PORT/!/",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "",
];

/// A name server under the attacker's hand.
fn names() -> Lookup {
    Arc::new(|name| {
        let address = match name.as_str() {
            "loopback.test" => "127.0.0.1",
            "zero.test" => "0.0.0.0",
            "six.test" => "::1",
            "mapped.test" => "::ffff:127.0.0.1",
            "metadata.google.internal" => "169.254.169.254",
            "private.test" => "10.0.0.1",
            "nat64.test" => "64:ff9b::a00:1",
            _ => return async { Err(std::io::Error::other("no such name")) }.boxed(),
        };
        async move { Ok(vec![address.parse().unwrap()]) }.boxed()
    })
}

fn behind(allow: &[&str], lookup: Lookup) -> Tools {
    let allowed = allow.iter().map(|network| network.parse().unwrap()).collect();
    let mut settings = ToolSettings::default();
    settings.http.insert("tool".into(), declared("GET", "http://loopback.test/"));
    Tools::behind(Guard::with_lookup(allowed, lookup), &settings).expect("tools")
}

/// Listens on every address of this machine that it has.
async fn canary() -> Server {
    let all = match TcpListener::bind("[::]:0").await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind("0.0.0.0:0").await.unwrap(),
    };
    Server::on(all, |_| Answer::Bytes(text("chirp")))
}

async fn fetch(tools: &Tools, url: &str) -> Outcome {
    run(tools, "fetch_url", json!({ "url": url })).await
}

#[tokio::test]
async fn s11_no_address_of_the_corpus_reaches_the_canary() {
    let (canary, tools) = (canary().await, behind(&[], names()));
    assert!(THIS_MACHINE.len() + ELSEWHERE.len() >= 60);
    for url in THIS_MACHINE.iter().chain(ELSEWHERE) {
        let why = failure(fetch(&tools, &url.replace("PORT", &canary.port.to_string())).await);
        // Refused, not merely out of reach of the machine that runs this test.
        let refusals = ["tools may not reach", "by http and https only", "is not understood", "a user or a password"];
        assert!(refusals.iter().any(|refusal| why.contains(refusal)), "{url}: {why}");
    }
    assert_eq!(canary.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn s11_the_same_addresses_reach_it_where_everything_is_allowed() {
    let (canary, tools) = (canary().await, behind(&["0.0.0.0/0", "::/0"], names()));
    let mut reached = 0;
    for url in THIS_MACHINE {
        let outcome = fetch(&tools, &url.replace("PORT", &canary.port.to_string())).await;
        reached += usize::from(matches!(&outcome, Outcome::Done { result, .. } if result == "chirp"));
    }
    // Those of IPv6 depend on the machine; all others prove that the corpus bites.
    assert!(reached >= THIS_MACHINE.len() - 7, "{reached} of {}", THIS_MACHINE.len());
}

#[tokio::test]
async fn s11_an_allowed_network_is_open_and_its_neighbours_are_not() {
    let (canary, tools) = (canary().await, behind(&["127.0.0.1/32"], names()));
    let port = canary.port;
    for host in ["127.0.0.1", "localhost", "loopback.test", "0x7f.1", "[::ffff:127.0.0.1]"] {
        assert_eq!(result(fetch(&tools, &format!("http://{host}:{port}/")).await), "chirp", "{host}");
    }
    let seen = canary.requests().len();
    for host in ["127.0.0.2", "0.0.0.0", "[::1]", "zero.test", "six.test"] {
        failure(fetch(&tools, &format!("http://{host}:{port}/")).await);
    }
    assert_eq!(canary.requests().len(), seen);
}

#[tokio::test]
async fn s11_tools_of_the_settings_are_guarded_too() {
    let canary = canary().await;
    let mut settings = ToolSettings::default();
    settings.http.insert("read".into(), declared("GET", &format!("http://127.0.0.1:{}/", canary.port)));
    settings.http.insert("write".into(), declared("POST", &format!("http://localhost:{}/", canary.port)));
    let own = BuiltIn { base_url: Some(format!("http://127.1:{}", canary.port)), ..BuiltIn::default() };
    settings.built_in.extend([("web_search".to_owned(), own.clone()), ("github".to_owned(), own)]);
    let tools = Tools::new(&settings).expect("tools");
    for name in ["read", "write", "web_search", "github"] {
        let arguments = json!({ "query": "x", "action": "search_code" });
        assert!(failure(run(&tools, name, arguments).await).contains("tools may not reach"), "{name}");
    }
    assert_eq!(canary.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn s11_a_name_whose_addresses_change_leads_nowhere_new() {
    // The open server and the canary share a port, as they would on two machines.
    let (open, canary) = loop {
        let open = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let port = open.local_addr().unwrap().port();
        if let Ok(canary) = TcpListener::bind(("127.0.0.1", port)).await {
            break (open, canary);
        }
    };
    let open = Server::on(open, |_| Answer::Bytes(text("public")));
    let canary = Server::on(canary, |_| Answer::Bytes(text("chirp")));
    let answers: Mutex<Vec<Vec<&str>>> = Mutex::new(vec![
        vec!["127.0.0.2"],
        vec!["127.0.0.1"],
        vec!["127.0.0.1", "127.0.0.2", "::1"],
        vec!["::ffff:127.0.0.1", "10.0.0.1"],
        vec![],
    ]);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let found: Vec<IpAddr> = answers.lock().unwrap().remove(0).into_iter().map(|ip| ip.parse().unwrap()).collect();
        async move { Ok(found) }.boxed()
    });
    let tools = behind(&["127.0.0.2/32"], lookup);
    let url = format!("http://rebind.test:{}/", open.port);
    assert_eq!(result(fetch(&tools, &url).await), "public");
    assert!(failure(fetch(&tools, &url).await).contains("tools may not reach"));
    assert_eq!(result(fetch(&tools, &url).await), "public", "only the open one of three is connected to");
    for _ in 0..2 {
        assert!(failure(fetch(&tools, &url).await).contains("tools may not reach"));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 5, "one look for each connection: nothing between looking and going");
    assert_eq!((open.requests().len(), canary.requests().len()), (2, 0));
}

#[tokio::test]
async fn s11_a_refusal_names_no_address_of_the_inner_network() {
    let tools = behind(&[], names());
    let why = failure(fetch(&tools, "http://private.test/").await);
    assert!(why.contains("private.test") && !why.contains("10.0.0.1"), "{why}");
}
