//! graphql-sse, distinct connections mode: one operation, one event stream.

use std::any::TypeId;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, Response as Answer};
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, header};
use tokio::time::{Instant, interval_at};

use super::code_errors;
use super::expiry::{deadline, until};
use super::headers::text;
use crate::auth::Principal;
use crate::gateway::App;
use crate::graphql::Resume;

/// Between two signs of life, for proxies that cut what is silent.
const HEARTBEAT: Duration = Duration::from_secs(12);
/// Sent at once; a browser that lost its connection comes back after a second.
const BEGINNING: &str = "retry: 1000\n\n";
const COMPLETE: &str = "event: complete\ndata:\n\n";

/// Answers a GraphQL request (already parsed, with its `Option<Principal>` in its data) as an event stream.
///
/// Every update carries its cursor as `id`, so that a browser's `EventSource` comes back with it as `Last-Event-ID`.
pub(crate) async fn respond(app: Arc<App>, headers: &HeaderMap, request: Request) -> Response {
    let last = text(headers, HeaderName::from_static("last-event-id")).filter(|last| !last.is_empty());
    let principal = request.data.get(&TypeId::of::<Option<Principal>>());
    let principal = principal.and_then(|data| data.downcast_ref::<Option<Principal>>()).and_then(Option::as_ref);
    let body = Body::from_stream(events(app, deadline(principal), Resume::after(last), request));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, body).into_response()
}

/// The stream's bytes. It ends without `complete` where the client shall come back: when the node drains, and when the token
/// ends.
fn events(
    app: Arc<App>,
    deadline: Option<Instant>,
    resume: Resume,
    request: Request,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    async_stream::stream! {
        yield Ok(Bytes::from_static(BEGINNING.as_bytes()));
        let mut answers = app.schema.execute_stream(request.data(resume.clone()));
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        let end = until(deadline);
        tokio::pin!(end);
        loop {
            let bytes = tokio::select! {
                () = app.draining.cancelled() => return,
                () = &mut end => return,
                answer = answers.next() => match answer {
                    Some(answer) => next(answer, &resume),
                    None => {
                        yield Ok(Bytes::from_static(COMPLETE.as_bytes()));
                        return;
                    }
                },
                _ = heartbeat.tick() => Bytes::from_static(b":\n\n"),
            };
            yield Ok(bytes);
        }
    }
}

/// One answer as an event. JSON has no line breaks outside strings, and in them they are escaped.
fn next(mut answer: Answer, resume: &Resume) -> Bytes {
    code_errors(&mut answer.errors);
    let mut event = String::from("event: next\n");
    if let Some(cursor) = resume.cursor().filter(|_| answer.errors.is_empty()) {
        let _ = writeln!(event, "id: {cursor}");
    }
    let json = serde_json::to_string(&answer).unwrap_or_default();
    let _ = write!(event, "data: {json}\n\n");
    Bytes::from(event)
}
