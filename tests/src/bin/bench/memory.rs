//! B5: resident memory for one open subscription, beside a server that only holds the connection.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures::{SinkExt, StreamExt, stream};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::machine::resident_bytes;
use crate::report::{Figure, Wanted};
use crate::setup::{self, Server, Setup, Tally};

const SUBSCRIPTION: &str = "subscription($c: ID!) { conversationUpdates(conversationId: $c) { __typename cursor } }";
/// Connections that are opened at once.
const OPENING: usize = 64;

enum Held {
    Sse(#[expect(dead_code, reason = "held open")] TcpStream),
    WebSocket(#[expect(dead_code, reason = "held open")] Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
}

/// Bytes per subscriber, each on a conversation of its own, divided by bytes per bare connection.
pub(crate) async fn b5(setup: &Setup, rounds: usize, subscribers: usize) -> anyhow::Result<Vec<Figure>> {
    let mut sse = Figure::new("B5 memory per SSE subscriber", "KiB", Wanted::AtMost(3.0));
    let mut ws = Figure::new("B5 memory per WebSocket subscriber", "KiB", Wanted::AtMost(4.0));
    for round in 0..rounds {
        for (figure, web_socket) in [(&mut sse, false), (&mut ws, true)] {
            let node = setup.node(&["gateway,agents,projections,relay"]).await?;
            let conversations = conversations(&node, subscribers).await?;
            let ours = grown(&node, web_socket, &conversations).await?;
            drop(node);
            let bare = Server::bare().await?;
            let reference = grown(&bare, web_socket, &vec![String::new(); subscribers]).await?;
            println!(
                "  B5 round {round}: {ours:.1} KiB, bare {reference:.1} KiB ({})",
                if web_socket { "WebSocket" } else { "SSE" }
            );
            figure.push(ours, reference);
        }
    }
    Ok(vec![sse, ws])
}

async fn conversations(node: &Server, count: usize) -> anyhow::Result<Vec<String>> {
    let client = Tally::client();
    let start = "mutation { startConversation(input: { agents: [] }) { conversation { id } } }";
    let answers = stream::iter(0..count)
        .map(|_| setup::graphql(&client, &node.address, start, json!({})))
        .buffer_unordered(OPENING);
    let ids = answers.map(|answer| {
        let answer = answer?;
        let id = answer["data"]["startConversation"]["conversation"]["id"].as_str().context("no conversation")?;
        anyhow::Ok(id.to_owned())
    });
    ids.collect::<Vec<_>>().await.into_iter().collect()
}

/// KiB that the server grew by for each connection.
async fn grown(server: &Server, web_socket: bool, conversations: &[String]) -> anyhow::Result<f64> {
    // A few connections first, so that what is made once is not counted.
    let warm: Vec<_> = open_all(server, web_socket, &conversations[..conversations.len().min(50)]).await?;
    let before = resident_bytes(server.process());
    let held = open_all(server, web_socket, conversations).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = resident_bytes(server.process());
    drop((warm, held));
    Ok((after - before) / 1024.0 / conversations.len() as f64)
}

async fn open_all(server: &Server, web_socket: bool, conversations: &[String]) -> anyhow::Result<Vec<Held>> {
    let opening = stream::iter(conversations).map(|conversation| async move {
        match web_socket {
            true => open_ws(&server.address, conversation).await,
            false => open_sse(&server.address, conversation).await,
        }
    });
    opening.buffer_unordered(OPENING).collect::<Vec<_>>().await.into_iter().collect()
}

/// Sends the request by hand: the client's own memory is not what is measured, and 10,000 of them must fit.
async fn open_sse(address: &str, conversation: &str) -> anyhow::Result<Held> {
    let host = address.trim_start_matches("http://");
    let mut socket = TcpStream::connect(host).await?;
    let request = if conversation.is_empty() {
        format!("GET /sse HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n")
    } else {
        let body = json!({ "query": SUBSCRIPTION, "variables": { "c": conversation } }).to_string();
        format!(
            "POST /graphql HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            setup::token(),
            body.len()
        )
    };
    socket.write_all(request.as_bytes()).await?;
    let mut head = [0; 256];
    let read = socket.read(&mut head).await?;
    let head = String::from_utf8_lossy(&head[..read]);
    ensure!(head.starts_with("HTTP/1.1 200"), "refused: {head}");
    Ok(Held::Sse(socket))
}

async fn open_ws(address: &str, conversation: &str) -> anyhow::Result<Held> {
    let path = if conversation.is_empty() { "/ws" } else { "/graphql/ws" };
    let mut request = format!("ws{}{path}", address.trim_start_matches("http")).into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let init =
        json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", setup::token()) } });
    socket.send(Message::text(init.to_string())).await?;
    socket.next().await.context("closed before the answer")??;
    if !conversation.is_empty() {
        let payload = json!({ "query": SUBSCRIPTION, "variables": { "c": conversation } });
        let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
        socket.send(Message::text(subscribe.to_string())).await?;
    }
    Ok(Held::WebSocket(Box::new(socket)))
}
