//! Sending one request, and what a server says when it refuses.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::DateTime;
use futures::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::limits::{Clock, cut};
use super::{Answer, Server};
use crate::model::decoder::complaint;
use crate::model::failure::{Blame, Failure};
use crate::model::{anthropic, openai};
use crate::settings::ProviderKind;

/// Longest pause that a server may ask for. One that wants more is not asked again for this answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is read of an error's body.
const ERROR_BODY: usize = 16 << 10;

impl Server {
    /// The response's beginning.
    pub(super) async fn send(&self, request: Bytes, clock: &Clock) -> Answer<Response> {
        let post = self.post(self.client()?)?.body(request);
        let sent = timeout_at(clock.deadline(), post.send()).await.map_err(|_| clock.too_slow())?;
        let response = sent.map_err(|error| unreachable(&error))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            status => Err(self.refused(status, response).await),
        }
    }

    fn post(&self, client: &Client) -> Answer<RequestBuilder> {
        let base = self.provider.base_url.trim_end_matches('/');
        let key = self.key();
        let (url, name, value) = match self.provider.kind {
            ProviderKind::OpenAi => {
                (format!("{base}{}", openai::PATH), "authorization", key.map(|key| format!("Bearer {key}")))
            }
            // Both forms of the address are about: with and without the version.
            ProviderKind::Anthropic => {
                let root = base.strip_suffix("/v1").unwrap_or(base);
                (format!("{root}{}", anthropic::PATH), "x-api-key", key.map(str::to_owned))
            }
        };
        let mut post = client.post(url).header(CONTENT_TYPE, "application/json").header(ACCEPT, "text/event-stream");
        if self.provider.kind == ProviderKind::Anthropic {
            post = post.header("anthropic-version", anthropic::VERSION);
        }
        if let Some(value) = value {
            let value = HeaderValue::from_str(&value);
            let mut value =
                value.map_err(|_| Failure::new("settings", "the key of the model's server is malformed"))?;
            value.set_sensitive(true);
            post = post.header(name, value);
        }
        Ok(post)
    }

    async fn refused(&self, status: StatusCode, response: Response) -> Failure {
        let asked = retry_after(response.headers(), SystemTime::now());
        let body = beginning(response).await;
        let said = complaint(&String::from_utf8_lossy(&body)).unwrap_or_default().message;
        let failure = refusal(status.as_u16()).quoting(&said, self.key());
        let makes_sense = matches!(status.as_u16(), 408 | 429) || status.is_server_error();
        if makes_sense && asked.is_none_or(|asked| asked <= PATIENCE) { failure.again(asked) } else { failure }
    }

    /// Made at the first request: it reads the machine's certificates, which an offline node never needs.
    ///
    /// No redirect is followed and no proxy of the environment is used: the key goes where the settings say and nowhere else.
    fn client(&self) -> Answer<&Client> {
        let client = self.client.get_or_init(|| {
            let client = Client::builder()
                .connect_timeout(self.timeouts.connect)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .user_agent(concat!("loquent/", env!("CARGO_PKG_VERSION")))
                .tcp_nodelay(true);
            client.build().map_err(|error| error.to_string())
        });
        client.as_ref().map_err(|error| {
            tracing::error!(error, "the client for models cannot be made");
            Failure::new("settings", "the client for models cannot be made")
        })
    }
}

fn refusal(code: u16) -> Failure {
    let (blame, class, reason) = match code {
        401 | 403 => (Blame::Terms, "refused", "refused our key"),
        404 => (Blame::Terms, "refused", "does not know this model or address"),
        408 => (Blame::Server, "server_error", "gave up waiting"),
        429 => (Blame::Terms, "rate_limited", "takes no more requests for now"),
        100..400 => (Blame::Terms, "refused", "points to another address"),
        400..500 => (Blame::Request, "refused", "refused the request"),
        _ => (Blame::Server, "server_error", "failed"),
    };
    Failure::of(blame, class, format_args!("the model's server {reason} (HTTP {code})")).unpaid()
}

/// An error that a server reports in the middle of a response that began well, by the provider's own name for it.
pub(super) fn reported(kind: &str) -> Failure {
    let failure = |blame| Failure::of(blame, "reported", "the model's server reported an error");
    match kind {
        "overloaded_error" | "api_error" | "timeout_error" | "server_error" => failure(Blame::Server).again(None),
        "rate_limit_error" | "rate_limit_exceeded" => failure(Blame::Terms).again(None),
        "invalid_request_error" => failure(Blame::Request),
        _ => failure(Blame::Terms),
    }
}

fn unreachable(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        return Failure::new("settings", "the address of the model's server is not understood");
    }
    if error.is_connect() {
        let failure = Failure::of(Blame::Server, "connect", "the model's server cannot be reached").again(None);
        return Failure { reached: false, ..failure.unpaid() };
    }
    cut()
}

/// How long to wait: a number of seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = SystemTime::from(DateTime::parse_from_rfc2822(value).ok()?);
    Some(date.duration_since(now).unwrap_or_default())
}

/// As much of a body as an error needs; a server that dawdles over it is not waited for.
async fn beginning(response: Response) -> Vec<u8> {
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut bytes = response.bytes_stream();
    let mut body = Vec::new();
    while let Ok(Some(Ok(part))) = timeout_at(deadline, bytes.next()).await {
        body.extend_from_slice(&part);
        if body.len() >= ERROR_BODY {
            body.truncate(ERROR_BODY);
            break;
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_given_in_seconds_or_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let asked = |text: &'static str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), now)
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:49 GMT"), Some(Duration::from_secs(12)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!((asked("soon"), retry_after(&HeaderMap::new(), now)), (None, None));
    }
}
