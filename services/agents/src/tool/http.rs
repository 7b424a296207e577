//! Tools that the settings declare: one request each.

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;

use super::egress::{Egress, LARGEST, Limits, Request};
use super::reply::accepted;
use super::settings::{Effect, HttpTool};
use super::text::Secrets;
use super::{Outcome, Tool};

/// The header that names a call to a server which may have seen it before.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers that belong to the request's form or to us.
const RESERVED: [&str; 7] =
    ["host", "content-length", "transfer-encoding", "connection", "accept-encoding", "content-type", "idempotency-key"];

/// A call on its way.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) egress: &'a Egress,
    pub(super) tool: &'a Tool,
    /// The call's id.
    pub(super) call: &'a str,
    pub(super) arguments: &'a Value,
}

impl<'a> Asked<'a> {
    pub(super) fn limits(&self) -> Limits {
        Limits { time: self.tool.timeout, bytes: LARGEST }
    }

    /// What every request says about itself.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/*;q=0.9, */*;q=0.1"));
        if let Ok(call) = HeaderValue::from_str(self.call) {
            headers.insert(IDEMPOTENCY_KEY, call);
        }
        headers
    }

    /// The text of one argument.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.arguments.get(name).and_then(Value::as_str)
    }
}

/// A request that waits for its arguments.
pub(crate) struct Http {
    method: Method,
    url: Url,
    headers: HeaderMap,
    secrets: Secrets,
}

impl Http {
    /// # Errors
    /// The settings describe no request; in words for the operator.
    pub(super) fn new(settings: &HttpTool) -> Result<Self, String> {
        let method = match settings.method.as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE") => Method::from_bytes(known.as_bytes()),
            other => return Err(format!("\"{other}\" is no method; known are GET, HEAD, POST, PUT, PATCH, DELETE")),
        };
        let method = method.map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        for header in &settings.headers {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            let name = name.map_err(|_| format!("\"{}\" is no name of a header", header.name))?;
            if RESERVED.contains(&name.as_str()) {
                return Err(format!("the header {} is set by each request itself", header.name));
            }
            let value = HeaderValue::from_str(header.value.expose());
            let mut value = value.map_err(|_| format!("the header {} has signs that none may have", header.name))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let secrets = Secrets::new(settings.headers.iter().flat_map(|header| header.secrets.iter().cloned()));
        Ok(Self { method, url: parse_url(&settings.url)?, headers, secrets })
    }

    /// What the method does to the world, by the rules of HTTP.
    pub(super) fn effect(&self) -> Effect {
        if is_bodiless(&self.method) { Effect::Read } else { Effect::Write }
    }

    pub(super) async fn run(&self, asked: Asked<'_>) -> Outcome {
        let mut request = Request {
            method: self.method.clone(),
            url: self.url.clone(),
            private: self.headers.clone(),
            open: asked.headers(),
            body: None,
        };
        if is_bodiless(&self.method) {
            add_query(&mut request.url, asked.arguments);
        } else {
            request.open.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.body = Some(Bytes::from(asked.arguments.to_string()));
        }
        // One byte more than is shown tells whether there is more.
        let limits = Limits { bytes: asked.tool.result_limit + 1, ..asked.limits() };
        match accepted(asked.egress.send(request, limits).await, asked.tool.effect, &self.secrets) {
            Ok(reply) => reply.done(asked.tool, &self.secrets),
            Err(outcome) => outcome,
        }
    }
}

/// An address from the settings.
///
/// # Errors
/// It is none that a tool may have; in words for the operator.
pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("the address is not understood: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the address must begin with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address holds a user or a password; they belong into headers".into());
    }
    Ok(url)
}

fn is_bodiless(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Lists repeat their name; what is no text, number or truth is written as JSON; nothing at all is left out.
fn add_query(url: &mut Url, arguments: &Value) {
    let Some(fields) = arguments.as_object().filter(|fields| !fields.is_empty()) else { return };
    let mut query = url.query_pairs_mut();
    for (name, value) in fields {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            match value {
                Value::Null => {}
                Value::String(text) => _ = query.append_pair(name, text),
                value => _ = query.append_pair(name, &value.to_string()),
            }
        }
    }
}
