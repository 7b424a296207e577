//! Servers that do nothing but hold connections: the reference for memory per subscriber.
//!
//! Started as a process of its own (`bench bare`), so that its memory is its own.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream;

/// As small as ours: the library's own default of 128 KiB would flatter the ratio.
const BUFFER: usize = 4 * 1024;

/// Serves `/sse` and `/ws` on a free port of 127.0.0.1, which it prints; ends with its standard input.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("ready http://{}", listener.local_addr()?);
    let app = Router::new().route("/sse", get(sse)).route("/ws", get(ws));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn sse() -> impl IntoResponse {
    let events = stream::pending::<Result<Event, Infallible>>();
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(12)))
}

async fn ws(upgrade: WebSocketUpgrade) -> Response {
    let small = upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    small.protocols(["graphql-transport-ws"]).on_upgrade(hold)
}

async fn hold(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message
            && socket.send(Message::Text(text)).await.is_err()
        {
            break;
        }
    }
}
