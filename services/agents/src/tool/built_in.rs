//! Tools that every node has.

mod github;
mod page;
mod web_search;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;

use super::Outcome;
use super::egress::{Limits, Reply, Request};
use super::http::{Asked, parse_url};
use super::reply::accepted;
use super::text::Secrets;
use crate::settings::Secret;

pub(crate) use github::GitHub;
pub(super) use page::fetch;
pub(crate) use web_search::WebSearch;

/// A server with an API that a tool knows, and our key to it.
struct Service {
    base: Url,
    private: HeaderMap,
    secrets: Secrets,
}

impl Service {
    /// # Errors
    /// The address or the key cannot be used; in words for the operator.
    fn new(base_url: &str, key: Option<&Secret>) -> Result<Self, String> {
        let mut private = HeaderMap::new();
        if let Some(key) = key {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose()));
            let mut bearer = bearer.map_err(|_| "the key has signs that none may have".to_owned())?;
            bearer.set_sensitive(true);
            private.insert(AUTHORIZATION, bearer);
        }
        Ok(Self { base: parse_url(base_url)?, private, secrets: Secrets::new(key.cloned()) })
    }

    /// The address of a resource; each part stands between two slashes, whatever signs it has.
    fn url<'p>(&self, parts: impl IntoIterator<Item = &'p str>) -> Url {
        let mut url = self.base.clone();
        // Refused only by addresses without a host, which no service has.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    /// The answer to a question, if it is a good one.
    async fn get(&self, asked: Asked<'_>, url: Url, headers: HeaderMap) -> Result<Reply, Outcome> {
        let mut open = asked.headers();
        open.extend(headers);
        let request = Request { method: Method::GET, url, private: self.private.clone(), open, body: None };
        accepted(asked.egress.send(request, asked.limits()).await, asked.tool.effect, &self.secrets)
    }

    /// The answer to a JSON document, if it is a good one.
    async fn post(&self, asked: Asked<'_>, url: Url, body: &Value, limits: Limits) -> Result<Reply, Outcome> {
        let mut open = asked.headers();
        open.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = Some(Bytes::from(body.to_string()));
        let request = Request { method: Method::POST, url, private: self.private.clone(), open, body };
        accepted(asked.egress.send(request, limits).await, asked.tool.effect, &self.secrets)
    }

    /// The JSON of an answer.
    fn json(&self, reply: &Reply) -> Result<Value, Outcome> {
        let text = self.secrets.hide(reply.text().unwrap_or_default());
        serde_json::from_str(&text)
            .map_err(|_| Outcome::Failed("the server answered with something that is no JSON".into()))
    }
}
