//! What every request leaves behind: a duration, a span, the headers that keep browsers careful.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, header};
use opentelemetry::trace::{SpanBuilder, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use tracing::Instrument;
use uuid::Uuid;

/// The W3C trace context that a command takes along; made here where the caller sent none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// `traceparent`.
    pub(crate) parent: String,
    /// The span that begins a trace of our own, where spans are exported; it ends with the last clone.
    _root: Option<Context>,
}

impl Trace {
    fn of(request: &Request) -> Self {
        let sent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
        match sent.filter(|text| is_traceparent(text)) {
            Some(text) => Self { parent: text.to_owned(), _root: None },
            // Nothing follows from what other paths are asked: probes come by the second.
            None if request.method() == Method::POST && request.uri().path() == "/graphql" => Self::fresh(),
            None => Self::unsampled(),
        }
    }

    /// A trace of its own, for an operation that brought none.
    pub(super) fn fresh() -> Self {
        let builder = SpanBuilder::from_name("GraphQL Operation").with_kind(SpanKind::Server);
        let root = Context::new();
        let root = root.with_span(global::tracer("loquent").build_with_context(builder, &root));
        let span = root.span().span_context().clone();
        if !span.is_valid() {
            return Self::unsampled();
        }
        let (trace, id, flags) = (span.trace_id(), span.span_id(), span.trace_flags());
        Self { parent: format!("00-{trace:032x}-{id:016x}-{flags:02x}"), _root: Some(root) }
    }

    fn unsampled() -> Self {
        let (_, span) = Uuid::now_v7().as_u64_pair();
        Self { parent: format!("00-{}-{span:016x}-00", Uuid::now_v7().simple()), _root: None }
    }

    fn id(&self) -> &str {
        self.parent.get(3..35).unwrap_or_default()
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zeros.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let some = |part: &str| part.bytes().any(|b| b != b'0');
    matches!(parts[..], ["00", trace, span, flags]
        if hex(trace, 32) && hex(span, 16) && hex(flags, 2) && some(trace) && some(span))
}

/// Middleware of all paths. Neither query string nor any other header is recorded: they may hold tokens.
pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let trace = Trace::of(&request);
    let method = method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let id = HeaderValue::from_str(trace.id()).ok();
    let span = tracing::info_span!("request", request_id = trace.id(), method, route);
    request.extensions_mut().insert(trace);
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    let status_label = status.to_string();
    metrics::histogram!("loquent_http_request_duration_seconds", "method" => method, "route" => route, "status" => status_label)
        .record(elapsed.as_secs_f64());
    span.in_scope(|| tracing::debug!(status, milliseconds = elapsed.as_millis() as u64, "answered"));
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    if let Some(id) = id {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

/// A label of few values: clients may send any word as a method.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_traceparent_is_passed_on() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for other in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(other), "{other}");
        }
    }
}
