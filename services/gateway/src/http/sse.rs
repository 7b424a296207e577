//! graphql-sse, distinct connections mode.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use crate::gateway::App;

/// Answers a GraphQL request (already parsed, with its `Option<Principal>` in its data) as an event stream.
pub(crate) async fn respond(app: Arc<App>, headers: &HeaderMap, request: async_graphql::Request) -> Response {
    let _ = (app, headers, request);
    http::StatusCode::NOT_IMPLEMENTED.into_response()
}
