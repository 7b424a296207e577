//! `/`: a plain page that sends a message and shows the answer as it comes. It needs no other host.

use axum::response::{IntoResponse, Response};
use http::header;
use uuid::Uuid;

const PAGE: &str = include_str!("page.html");

/// The page; its one script and one style run by a nonce, everything else is refused to them.
pub(super) async fn page() -> Response {
    let nonce = Uuid::now_v7().simple().to_string();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, PAGE.replace("{nonce}", &nonce)).into_response()
}
