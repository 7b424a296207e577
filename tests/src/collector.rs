//! A collector of spans that speaks OTLP over HTTP with protobuf, and keeps what came.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::PATIENCE;

/// A running collector; it ends with the test.
#[derive(Clone)]
pub struct Collector {
    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub endpoint: String,
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

/// A span as it came.
#[derive(Clone, Debug)]
pub struct Span {
    /// What it is of.
    pub name: String,
    /// In hex.
    pub trace: String,
    /// In hex.
    pub id: String,
    /// In hex; empty for a root.
    pub parent: String,
    /// As in the protocol: 1 internal, 2 server, 3 client.
    pub kind: i32,
    /// Its attributes.
    pub attributes: BTreeMap<String, Value>,
    /// Its status is an error.
    pub failed: bool,
    /// `service.name`.
    pub service: Value,
}

impl Collector {
    /// Takes whatever comes.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let collector = Self { endpoint, seen: Arc::default() };
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    /// Headers and bodies of all requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<(HeaderMap, Bytes)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All spans so far, by their beginning.
    ///
    /// # Panics
    /// A body is no request of the protocol.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for (headers, body) in self.requests() {
            assert_eq!(headers.get("content-type"), Some(&HeaderValue::from_static("application/x-protobuf")));
            let request = ExportTraceServiceRequest::decode(body).expect("protobuf");
            for of_resource in request.resource_spans {
                let resource = attributes(&of_resource.resource.unwrap_or_default().attributes);
                let all = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
                let service = resource.get("service.name").cloned().unwrap_or_default();
                spans.extend(all.map(|span| (span.start_time_unix_nano, read(span, service.clone()))));
            }
        }
        spans.sort_by_key(|(start, _)| *start);
        spans.into_iter().map(|(_, span)| span).collect()
    }

    /// All spans, as soon as there are so many of a trace.
    ///
    /// # Panics
    /// They do not come.
    pub async fn trace(&self, trace: &str, count: usize) -> Vec<Span> {
        let of_trace = || self.spans().into_iter().filter(|span| span.trace == trace).collect::<Vec<_>>();
        let enough = async {
            while of_trace().len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, enough).await;
        assert!(came.is_ok(), "{count} spans of {trace}, not {:#?}", self.spans());
        of_trace()
    }
}

fn read(span: opentelemetry_proto::tonic::trace::v1::Span, service: Value) -> Span {
    assert!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Span {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind,
        attributes: attributes(&span.attributes),
        failed: span.status.is_some_and(|status| status.code == StatusCode::Error as i32),
        name: span.name,
        service,
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    collector.seen.lock().unwrap_or_else(PoisonError::into_inner).push((headers, body));
}

fn attributes(all: &[KeyValue]) -> BTreeMap<String, Value> {
    all.iter().map(|pair| (pair.key.clone(), pair.value.as_ref().map_or(Value::Null, value))).collect()
}

fn value(any: &AnyValue) -> Value {
    match &any.value {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::BoolValue(truth)) => json!(truth),
        Some(any_value::Value::DoubleValue(number)) => json!(number),
        Some(any_value::Value::ArrayValue(list)) => list.values.iter().map(value).collect(),
        other => panic!("an attribute of another kind: {other:?}"),
    }
}
