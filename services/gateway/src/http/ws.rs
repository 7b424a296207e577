//! `graphql-transport-ws`.

use std::sync::Arc;

use axum::extract::{State, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use crate::gateway::App;

/// Takes an upgrade request over.
pub(crate) async fn upgrade(State(app): State<Arc<App>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let _ = (app, headers, upgrade);
    http::StatusCode::NOT_IMPLEMENTED.into_response()
}
