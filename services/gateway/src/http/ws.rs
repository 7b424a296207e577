//! `graphql-transport-ws`: many operations on one socket.

mod frame;
mod socket;

use std::sync::Arc;

use axum::extract::{State, WebSocketUpgrade};
use axum::response::Response;
use http::{HeaderMap, header};

use self::socket::Socket;
use crate::gateway::App;

const PROTOCOL: &str = "graphql-transport-ws";
/// The largest frame that is read.
const FRAME_LIMIT: usize = 256 << 10;
/// Small: a socket is idle most of the time, and there are many.
const BUFFER: usize = 4 << 10;

/// Takes an upgrade request over.
pub(crate) async fn upgrade(State(app): State<Arc<App>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(FRAME_LIMIT)
        .max_frame_size(FRAME_LIMIT)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER);
    let mut authorization = HeaderMap::new();
    for value in headers.get_all(header::AUTHORIZATION) {
        authorization.append(header::AUTHORIZATION, value.clone());
    }
    let sockets = app.sockets.clone();
    upgrade.on_upgrade(async move |socket| {
        sockets.track_future(Box::pin(Socket::new(app, socket, authorization).run())).await;
    })
}
