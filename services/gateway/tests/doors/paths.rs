//! The other paths.

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode, header};
use serde_json::json;

use crate::stand::{Stand, body};

#[tokio::test]
async fn the_page_is_one_file_that_needs_no_other_host() {
    let stand = Stand::start().await;
    let response = stand.get("/").await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers().clone();
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'"));
    let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    let page = String::from_utf8(bytes.to_vec()).expect("text");
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    assert!(page.contains(&format!("<script nonce=\"{nonce}\">")) && !page.contains("{nonce}"));
    assert!(page.contains("/schema.graphql"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
}

#[tokio::test]
async fn contracts_are_served() {
    let stand = Stand::start().await;
    let response = stand.get("/schema.graphql").await;
    let sdl = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    assert_eq!(sdl, gateway::sdl().as_bytes());
    for path in [
        "/schemas/dev.loquent.message.completed/1.json",
        "/schemas/dev.loquent.message.completed/v1.json",
        "/schemas/MessageCompleted/1.json",
        "/schemas/ChunkProduced/1.json",
    ] {
        let response = stand.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/schema+json");
        assert!(body(response).await["properties"]["message"].is_object());
    }
    assert_eq!(stand.get("/schemas/MessageCompleted/9.json").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let stand = Stand::start().await;
    let response = stand.get("/nothing/here?token=planted").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let expected = json!({ "type": "about:blank", "title": "Not Found", "status": 404, "code": "NOT_FOUND",
        "detail": "there is nothing at this path" });
    assert_eq!(body(response).await, expected);
    let request = Request::delete("/livez").body(Body::empty()).expect("a request");
    let response = stand.send(request).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(body(response).await["code"], "METHOD_NOT_ALLOWED");
}
