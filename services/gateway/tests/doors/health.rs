//! Live, ready, degraded, draining.

use axum::body::Body;
use axum::response::Response;
use gateway::health::{Health, Need, router};
use http::{Request, StatusCode, header};
use serde_json::json;
use tower::ServiceExt;

use crate::stand::{Stand, body};

async fn get(health: &Health, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    router(health.clone(), None).oneshot(request).await.expect("an answer")
}

#[tokio::test]
async fn a_gateway_with_store_and_log_is_ready() {
    let stand = Stand::start().await;
    for path in ["/livez", "/readyz"] {
        let response = stand.get(path).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let answer = body(response).await;
        assert_eq!(answer["status"], "ok", "{answer}");
        assert!(answer["version"].is_string());
    }
    let checks = body(stand.get("/readyz").await).await["checks"].take();
    assert_eq!(checks, json!({ "log": { "status": "ok" }, "store": { "status": "ok" } }));
    assert_eq!(stand.get("/metrics").await.status(), StatusCode::NOT_FOUND, "no recorder was given");
}

#[tokio::test]
async fn a_helpful_part_may_fail_and_a_required_one_may_not() {
    let health = Health::new();
    health.check("log", Need::Helpful, async || Err("the log does not answer".to_owned()));
    let response = get(&health, "/readyz").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body(response).await["status"], "degraded");

    let health = Health::new();
    health.check("store", Need::Required, async || std::future::pending().await);
    let begun = std::time::Instant::now();
    let response = get(&health, "/readyz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body(response).await["checks"]["store"]["status"], "failed");
    assert!(begun.elapsed().as_secs() < 4, "a check that hangs is bounded");
    assert_eq!(get(&health, "/livez").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_draining_process_is_not_ready() {
    let health = Health::new();
    assert_eq!(get(&health, "/readyz").await.status(), StatusCode::OK);
    health.drain();
    let response = get(&health, "/readyz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body(response).await["status"], "draining");
}
