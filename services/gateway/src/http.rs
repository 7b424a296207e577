//! The HTTP paths.

mod body;
mod documents;
mod expiry;
mod graphql;
mod headers;
mod negotiate;
mod observe;
mod page;
mod schemas;
mod sse;
mod weight;
mod ws;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{HeaderValue, StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::problem;
use crate::gateway::App;
use crate::health::{self, Health};

pub(crate) use graphql::code_errors;
pub(crate) use headers::{IdempotencyHeader, check_key};
pub(crate) use observe::Trace;

/// All paths of the gateway.
pub(crate) fn router(app: Arc<App>, health: Health, metrics: Option<PrometheusHandle>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/graphql", any(graphql::graphql))
        .route("/graphql/ws", get(ws::upgrade))
        .route("/schema.graphql", get(schemas::graphql))
        .route("/schemas/{kind}/{version}", get(schemas::event))
        .with_state(app)
        .merge(health::router(health, metrics))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(observe::observe))
}

async fn unknown_path() -> Response {
    problem(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing at this path")
}

async fn unknown_method() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "this path does not answer to this method")
}

/// The panic's text is on stderr already; the caller learns nothing of it.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    let mut response =
        problem(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "something went wrong on our side").into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    use super::*;

    async fn defect() -> &'static str {
        panic!("planted")
    }

    #[tokio::test]
    async fn a_defect_is_not_described() {
        let router = Router::new().route("/", get(defect)).layer(CatchPanicLayer::custom(panicked));
        let response = router.oneshot(http::Request::new(Body::empty())).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        assert!(!String::from_utf8_lossy(&bytes).contains("planted"));
    }
}
