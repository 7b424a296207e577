//! Sending the request, again where that is safe: nothing of an answer has come yet.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Answer, Server, wire};
use crate::model::Failure;

/// Waits before the second and third try where the server does not say how long.
const BACKOFF: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// Longest wait that a server may ask for.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is read of an error's body.
const ERROR_BODY: usize = 16 << 10;

/// A try that failed, and whether another one makes sense.
struct Refusal {
    failure: Failure,
    retry: Option<Option<Duration>>,
}

impl Server {
    /// The response's beginning, and when the first piece must be there.
    pub(super) async fn send(&self, request: Bytes, total: Instant) -> Answer<(Response, Instant)> {
        let client = self.client()?;
        let mut tries = BACKOFF.into_iter();
        loop {
            let first_token = Instant::now() + self.timeouts.first_token;
            let refusal = match timeout_at(first_token.min(total), self.attempt(client, request.clone())).await {
                Ok(Ok(response)) => return Ok((response, first_token)),
                Ok(Err(refusal)) => refusal,
                Err(_) => return Err(self.too_slow(super::Wait::FirstToken, total)),
            };
            let (Some(asked), Some(backoff)) = (refusal.retry, tries.next()) else { return Err(refusal.failure) };
            let wait = asked.unwrap_or(backoff);
            if wait > PATIENCE || Instant::now() + wait >= total {
                return Err(refusal.failure);
            }
            tracing::info!(class = refusal.failure.class, "asking the model again");
            sleep_until(Instant::now() + wait).await;
        }
    }

    async fn attempt(&self, client: &Client, request: Bytes) -> Result<Response, Refusal> {
        let url = format!("{}/chat/completions", self.provider.base_url.trim_end_matches('/'));
        let mut post = client.post(url).header(CONTENT_TYPE, "application/json").header(ACCEPT, "text/event-stream");
        if let Some(key) = self.key() {
            post = post.bearer_auth(key);
        }
        let response = post.body(request).send().await.map_err(|error| self.unreachable(&error))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            status => Err(self.refused(status, response).await),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Refusal {
        let (class, reason) = match error {
            error if error.is_builder() => ("settings", "the address of the model's server is not understood"),
            error if error.is_connect() => ("connect", "the model's server cannot be reached"),
            _ => ("cut", "the model's server cut the connection"),
        };
        Refusal { failure: Failure::new(class, reason), retry: (class != "settings").then_some(None) }
    }

    async fn refused(&self, status: StatusCode, response: Response) -> Refusal {
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        let body = beginning(response).await;
        let said = wire::error_message(&String::from_utf8_lossy(&body)).unwrap_or_default();
        let code = status.as_u16();
        let (class, reason) = match code {
            401 | 403 => ("refused", format!("the model's server refused our key (HTTP {code})")),
            404 => ("refused", "the model's server does not know this model or address (HTTP 404)".to_owned()),
            429 => ("rate_limited", "the model's server takes no more requests for now (HTTP 429)".to_owned()),
            300..400 => ("refused", format!("the model's server points to another address (HTTP {code})")),
            400..500 => ("refused", format!("the model's server refused the request (HTTP {code})")),
            _ => ("server_error", format!("the model's server failed (HTTP {code})")),
        };
        let retry = (matches!(code, 408 | 429) || status.is_server_error()).then_some(asked);
        Refusal { failure: Failure::quoting(class, reason, &said, self.key()), retry }
    }

    /// Made at the first request: it reads the machine's certificates, which an offline node never needs.
    fn client(&self) -> Answer<&Client> {
        let client = self.client.get_or_init(|| {
            let client = Client::builder()
                .connect_timeout(self.timeouts.connect)
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("loquent/", env!("CARGO_PKG_VERSION")))
                .tcp_nodelay(true);
            let client = if is_loopback(&self.provider.base_url) { client.no_proxy() } else { client };
            client.build().map_err(|error| error.to_string())
        });
        client.as_ref().map_err(|error| {
            tracing::error!(error, "the client for models cannot be made");
            Failure::new("settings", "the client for models cannot be made")
        })
    }
}

/// A server on this machine is never behind the proxy that the environment names.
fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
