//! A gateway at a port: what happens when it is told to stop.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::stand::Stand;

async fn send(stream: &mut TcpStream, head: &str, body: &str) {
    let request = format!("{head}\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("sent");
}

/// What arrives until `end` is in it or the other side closes.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await;
        match read.expect("an answer in time").expect("readable") {
            0 => break,
            count => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
        }
    }
    text
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    send(&mut stream, &format!("GET {path} HTTP/1.1\r\nconnection: close"), "").await;
    read_until(&mut stream, "no such end").await
}

#[tokio::test]
async fn a_gateway_that_is_told_to_stop_says_so_and_ends_its_streams() {
    let stand = Stand::start().await;
    let alice = stand.person("alice");
    let (conversation, cursor) = alice.conversation().await;
    let shutdown = CancellationToken::new();
    let (address, served) = stand.serve(shutdown.clone()).await;
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));

    let mut stream = TcpStream::connect(address).await.expect("connected");
    let head = format!(
        "POST /graphql HTTP/1.1\r\ncontent-type: application/json\r\naccept: text/event-stream\r\nauthorization: Bearer {}",
        alice.token.clone().expect("a token")
    );
    let query = "subscription ($id: ID!, $after: Cursor) { conversationUpdates(conversationId: $id, after: $after) { cursor } }";
    let body = json!({ "query": query, "variables": { "id": conversation, "after": cursor } }).to_string();
    send(&mut stream, &head, &body).await;
    assert!(read_until(&mut stream, "retry").await.starts_with("HTTP/1.1 200"));

    let told = Instant::now();
    shutdown.cancel();
    let rest = read_until(&mut stream, "no such end").await;
    assert!(!rest.contains("complete"), "the client shall come back: {rest}");
    served.await.expect("no panic").expect("no error");
    assert!(told.elapsed() < Duration::from_secs(10));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_gateway_that_drains_is_not_ready_before_it_is_gone() {
    let stand = Stand::start().await;
    let shutdown = CancellationToken::new();
    let (address, served) = stand.serve(shutdown.clone()).await;
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
    shutdown.cancel();
    let ready = get(address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("draining"), "{ready}");
    served.await.expect("no panic").expect("no error");
}
