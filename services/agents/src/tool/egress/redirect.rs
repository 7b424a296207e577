//! Where a redirect leads, and what of a request goes along: after the Fetch standard's rules for methods and origins.

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};

use super::Request;

/// The next address, where the answer is a redirect.
pub(super) fn target(asked: &Url, response: &Response) -> Option<Url> {
    let status = response.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    asked.join(std::str::from_utf8(location.as_bytes()).ok()?).ok()
}

/// Turns the request to the next address. True if its content was taken by the server that redirects, and only the answer is to be
/// fetched.
pub(super) fn apply(request: &mut Request, next: Url, status: StatusCode) -> bool {
    if request.url.origin() != next.origin() {
        request.private = HeaderMap::new();
    }
    request.url = next;
    let to_get = match status.as_u16() {
        303 => !matches!(request.method, Method::GET | Method::HEAD),
        301 | 302 => request.method == Method::POST,
        _ => false,
    };
    if to_get {
        request.method = Method::GET;
        request.body = None;
        request.open.remove(CONTENT_TYPE);
    }
    to_get
}
