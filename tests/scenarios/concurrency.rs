//! Many at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tests::client::{Client, is_turn_end};
use tests::history::History;
use tests::sandbox::{Form, Role, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const WRITERS: usize = 64;
const EACH: usize = 4;

#[tokio::test]
async fn sixty_four_writers_share_one_conversation() {
    for form in Form::at_hand() {
        let cluster = Sandbox::new(form).await.cluster().await;
        let alice = cluster.client("alice", 0);
        let conversation = alice.start_conversation(Some(&[])).await;
        let writers =
            (0..WRITERS).map(|writer| write(cluster.client("alice", writer % 2), conversation.clone(), writer));
        let sent: Vec<_> = join_all(writers).await.into_iter().flatten().collect();
        let ids: BTreeSet<_> = sent.iter().map(|(sent, _)| sent.message.clone()).collect();
        assert_eq!(ids.len(), WRITERS * EACH, "{form}: every message has its own id");
        let mut updates = alice.updates(&conversation, Some("0")).await;
        let mut seen = Vec::new();
        while seen.len() < 1 + WRITERS * EACH {
            seen.push(updates.next().await.expect("an update"));
        }
        History(&seen).check();
        History(&seen).has(&sent);
    }
}

/// Sends each message twice with the same key, as a client does that got no answer.
async fn write(client: Client, conversation: String, writer: usize) -> Vec<(tests::client::Sent, String)> {
    let mut all = Vec::new();
    for number in 0..EACH {
        let words = format!("writer {writer}, message {number}");
        let (first, second) = futures::join!(
            client.try_send(Some(&conversation), &words, Some(&words)),
            client.try_send(Some(&conversation), &words, Some(&words)),
        );
        let first = first.expect("accepted");
        assert_eq!(Ok(&first), second.as_ref(), "the same key, the same answer");
        all.push((first, words));
    }
    all
}

#[tokio::test]
async fn a_slow_reader_costs_little_is_closed_and_resumes() {
    for form in Form::at_hand() {
        let cluster = Sandbox::new(form).await.cluster().await;
        let alice = cluster.client("alice", 0);
        let conversation = alice.start_conversation(Some(&[])).await;
        let mut slow = silent_reader(&alice, &conversation).await;
        let process = cluster.process(Role::Gateway, 0);
        let long = "x".repeat(200 * 1024);
        alice.send(Some(&conversation), &long).await;
        let before = process.resident();
        // 10 MiB that the silent reader does not take.
        for _ in 0..50 {
            let begun = Instant::now();
            alice.send(Some(&conversation), &long).await;
            assert!(begun.elapsed() < Duration::from_secs(5), "{form}: a writer waited for a reader");
        }
        let grown = process.resident().saturating_sub(before);
        assert!(grown < 96 << 20, "{form}: {} MiB more for one slow reader", grown >> 20);
        let read = read_to_end(&mut slow).await;
        let last = read.rsplit("\"cursor\":\"").next().and_then(|rest| rest.split('"').next()).expect("a cursor");
        let mut updates = alice.updates(&conversation, Some(last)).await;
        let next: u64 = last.parse::<u64>().expect("a bare sequence") + 1;
        for sequence in next..=52 {
            let update = updates.next().await.expect("the rest");
            assert_eq!(update["cursor"], json!(sequence.to_string()), "{form}");
        }
    }
}

/// Subscribes and reads nothing.
async fn silent_reader(client: &Client, conversation: &str) -> TcpStream {
    let host = client.address.trim_start_matches("http://");
    let query = "subscription($c: ID!) { conversationUpdates(conversationId: $c, after: \"0\") { __typename ... on MessageSent { text } cursor } }";
    let body = json!({ "query": query, "variables": { "c": conversation } }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\naccept: text/event-stream\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        client.token,
        body.len()
    );
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(host.parse().expect("an address")).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("a request");
    stream
}

/// Waits without reading until the server has had to give up, then reads what it had sent.
async fn read_to_end(stream: &mut TcpStream) -> String {
    tokio::time::sleep(Duration::from_secs(40)).await;
    let mut all = Vec::new();
    // The end may be a reset: what was read before it counts.
    let reading = stream.read_to_end(&mut all);
    let _ = tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the connection was closed");
    let text = String::from_utf8_lossy(&all).into_owned();
    // A last, cut line does not count.
    text.rsplit_once("\n\n").map(|(whole, _)| whole.to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn turns_run_one_at_a_time_in_the_order_of_their_messages() {
    for form in Form::at_hand() {
        let cluster = Sandbox::new(form).await.with("LOQUENT_OFFLINE_PACE", "5ms").cluster().await;
        let alice = cluster.client("alice", 0);
        let conversation = alice.start_conversation(None).await;
        for number in 0..5 {
            alice.send(Some(&conversation), &format!("message {number}")).await;
        }
        let mut updates = cluster.client("alice", 1).updates(&conversation, Some("0")).await;
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.extend(updates.until(is_turn_end).await);
        }
        History(&seen).check();
        let turns = seen.iter().filter_map(|update| match update["__typename"].as_str()? {
            "TurnStarted" => Some(1),
            "TurnCompleted" | "TurnFailed" => Some(-1),
            _ => None,
        });
        let steps: Vec<i32> = turns.collect();
        assert_eq!(steps, [1, -1].repeat(5), "{form}");
    }
}
