//! A GraphQL request out of an HTTP request: what is no request is refused before anything runs.

use std::time::Duration;

use async_graphql::{Request, Variables};
use axum::body::Body;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use super::documents::DOCUMENTS;
use super::headers::text;
use super::weight::is_too_large;

/// The largest body that is read.
const BODY_LIMIT: usize = 1 << 20;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why an HTTP request is no GraphQL request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) status: StatusCode,
    pub(super) message: &'static str,
}

fn bad(message: &'static str) -> Malformed {
    Malformed { status: StatusCode::BAD_REQUEST, message }
}

/// The request in the body of a POST.
pub(super) async fn of_post(headers: &HeaderMap, body: Body) -> Result<Request, Malformed> {
    if !is_json(text(headers, header::CONTENT_TYPE).as_deref()) {
        let message = "send the request as application/json in UTF-8";
        return Err(Malformed { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, message });
    }
    let too_large =
        Malformed { status: StatusCode::PAYLOAD_TOO_LARGE, message: "a request must not be larger than 1 MiB" };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(too_large);
    }
    let slow = Malformed { status: StatusCode::REQUEST_TIMEOUT, message: "the request took too long to arrive" };
    let bytes = tokio::time::timeout(PATIENCE, axum::body::to_bytes(body, BODY_LIMIT)).await.map_err(|_| slow)?;
    // The only failure besides the limit is a client that went away, which reads no answer.
    let bytes = bytes.map_err(|_| too_large)?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(fields)) => request(fields),
        Ok(Value::Array(_)) => Err(bad("send one request at a time: batches are not taken")),
        Ok(_) => Err(bad("the body must be a JSON object")),
        Err(_) => Err(bad("the body is not valid JSON")),
    }
}

/// The request in the query string of a GET.
pub(super) fn of_get(query: Option<&str>) -> Result<Request, Malformed> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(
        &http::Uri::builder().path_and_query(format!("/?{}", query.unwrap_or_default())).build().unwrap_or_default(),
    );
    let pairs = pairs.map_err(|_| bad("the query string is not valid"))?.0;
    let mut fields = Map::new();
    for (name, value) in pairs {
        let value = match name.as_str() {
            "query" | "operationName" => Value::String(value),
            "variables" | "extensions" => {
                serde_json::from_str(&value).map_err(|_| bad("`variables` and `extensions` must be JSON objects"))?
            }
            _ => continue,
        };
        fields.insert(name, value);
    }
    request(fields)
}

pub(super) fn request(mut fields: Map<String, Value>) -> Result<Request, Malformed> {
    let Some(Value::String(query)) = fields.remove("query") else { return Err(bad("`query` must be a string")) };
    let mut request = Request::new(query);
    match fields.remove("operationName") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) => request = request.operation_name(name),
        Some(_) => return Err(bad("`operationName` must be a string")),
    }
    match fields.remove("variables") {
        None | Some(Value::Null) => {}
        Some(variables @ Value::Object(_)) => request = request.variables(Variables::from_json(variables)),
        Some(_) => return Err(bad("`variables` must be an object")),
    }
    if !matches!(fields.remove("extensions"), None | Some(Value::Null | Value::Object(_))) {
        return Err(bad("`extensions` must be an object"));
    }
    if !DOCUMENTS.recall(&mut request) {
        if is_too_large(&mut request) {
            return Err(bad("the document asks for too much at once"));
        }
        DOCUMENTS.keep(&mut request);
    }
    Ok(request)
}

fn is_json(content_type: Option<&str>) -> bool {
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    json && parts.filter_map(|part| part.split_once('=')).all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf_8_is_json() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            assert!(is_json(Some(good)), "{good}");
        }
        for other in ["", "text/plain", "application/jsonp", "application/json; charset=utf-16", "multipart/form-data"]
        {
            assert!(!is_json(Some(other)), "{other}");
        }
        assert!(!is_json(None));
    }

    #[test]
    fn fragments_that_double_each_other_are_refused_at_once() {
        let fragments = (0..40).map(|n| format!("fragment f{n} on Query {{ ...f{0} ...f{0} }} ", n + 1));
        let query =
            format!("{{ ...f0 }} {} fragment f40 on Query {{ viewer {{ id }} }}", fragments.collect::<String>());
        let fields = Map::from_iter([("query".to_owned(), Value::String(query))]);
        assert!(request(fields).is_err());
        let harmless = "{ ...f } fragment f on Query { ...g ...g } fragment g on Query { viewer { id } }";
        assert!(request(Map::from_iter([("query".to_owned(), harmless.into())])).is_ok());
    }

    #[test]
    fn a_query_string_is_read() {
        let request = of_get(Some("query=%7Bok%7D&variables=%7B%22a%22:1%7D&other=1")).expect("a request");
        assert_eq!(request.query, "{ok}".replace(' ', ""));
        assert_eq!(request.variables.len(), 1);
        assert_eq!(of_get(None).err(), Some(bad("`query` must be a string")));
        assert!(of_get(Some("query=x&variables=1")).is_err());
    }
}
