//! The only way from a tool to the network.
//!
//! Whoever chose an address, a model, a page or the settings, it may lead nowhere but to the public internet and to the networks
//! that the operator opened. Names are looked up once, for the connection itself, and only addresses that may be reached are
//! handed to it: there is no moment between looking and going in which the answer could change. Redirects are followed here, one
//! by one, each as if it were a request of its own.

mod address;
mod body;
mod guard;
mod redirect;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use body::Body;
pub(super) use body::End;
pub(super) use guard::Guard;
#[cfg(test)]
pub(super) use guard::Lookup;

/// Redirects that are followed.
const REDIRECTS: usize = 3;
/// Longest time for a connection, so that a server that is not there is told apart from one that does not answer.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time of a guarded request, redirects and body included.
pub(super) const LONGEST: Duration = Duration::from_secs(15);
/// Most bytes of a guarded answer, counted after decoding.
pub(super) const LARGEST: usize = 5 << 20;

/// Sends requests to where they may go. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub(super) struct Egress {
    client: Arc<OnceLock<Result<Client, String>>>,
    guard: Arc<Guard>,
}

/// A request of a tool.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    /// For this server alone: where a redirect leads elsewhere, they stay behind.
    pub(super) private: HeaderMap,
    /// For whoever answers.
    pub(super) open: HeaderMap,
    pub(super) body: Option<Bytes>,
}

/// How much of an answer is waited for.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
    pub(super) bytes: usize,
}

/// An answer: its head is whole.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// All addresses that were asked, the last one answered.
    pub(super) places: Vec<Url>,
}

/// Why there is no answer, in words for a model.
#[derive(Debug, PartialEq)]
pub(super) enum Trouble {
    /// No server has seen the request.
    Unsent(String),
    /// One may have.
    Lost(String),
}

impl Egress {
    /// Past this guard.
    pub(super) fn guarded(guard: Guard) -> Self {
        Self { client: Arc::default(), guard: Arc::new(guard) }
    }

    /// Asks, follows redirects, and reads the answer as far as the limits go.
    pub(super) async fn send(&self, request: Request, limits: Limits) -> Result<Reply, Trouble> {
        let limits = Limits { time: limits.time.min(LONGEST), bytes: limits.bytes.min(LARGEST) };
        let mut taken = false;
        let reply = self.follow(request, limits, &mut taken).await;
        match reply {
            // A server took the request and named another address for its answer: what this one says is not about the request.
            Ok(reply) if taken && !reply.status.is_success() => {
                Err(Trouble::Lost(format!("the request was taken, but its answer could not be had ({})", reply.status)))
            }
            Err(Trouble::Unsent(why)) if taken => Err(Trouble::Lost(why)),
            reply => reply,
        }
    }

    async fn follow(&self, mut request: Request, limits: Limits, taken: &mut bool) -> Result<Reply, Trouble> {
        let deadline = Instant::now() + limits.time;
        let mut places = Vec::new();
        loop {
            self.guard.check(&request.url).map_err(Trouble::Unsent)?;
            let response = match timeout_at(deadline, self.attempt(&request)).await {
                Ok(response) => response?,
                Err(_) => return Err(Trouble::Lost(format!("no answer came within {:?}", limits.time))),
            };
            places.push(request.url.clone());
            let Some(hop) = redirect::target(&request.url, &response) else {
                let (status, headers) = (response.status(), response.headers().clone());
                let body = body::read(response, limits.bytes, deadline).await;
                return Ok(Reply { status, headers, body, places });
            };
            if places.len() > REDIRECTS {
                return Err(Trouble::Unsent(format!("the server redirects more than {REDIRECTS} times")));
            }
            *taken |= redirect::apply(&mut request, hop, response.status());
        }
    }

    async fn attempt(&self, request: &Request) -> Result<Response, Trouble> {
        let mut asked = self.client()?.request(request.method.clone(), request.url.clone());
        asked = asked.headers(request.open.clone()).headers(request.private.clone());
        asked = asked.header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if let Some(body) = &request.body {
            asked = asked.body(body.clone());
        }
        asked.send().await.map_err(|error| trouble(&error, &request.url))
    }

    /// Made at the first request: it reads the machine's certificates.
    fn client(&self) -> Result<&Client, Trouble> {
        let client = self.client.get_or_init(|| {
            let client = Client::builder()
                .connect_timeout(CONNECT)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .user_agent(concat!("loquent/", env!("CARGO_PKG_VERSION")));
            // A proxy would look names up by itself, past the guard.
            client.no_proxy().dns_resolver(self.guard.clone()).build().map_err(|error| error.to_string())
        });
        client.as_ref().map_err(|error| {
            tracing::error!(error, "the client for tools cannot be made");
            Trouble::Unsent("the client for tools cannot be made".into())
        })
    }
}

fn trouble(error: &reqwest::Error, url: &Url) -> Trouble {
    let host = url.host_str().unwrap_or_default();
    if let Some(forbidden) = guard::forbidden(error) {
        return Trouble::Unsent(forbidden);
    }
    match error {
        error if error.is_builder() => Trouble::Unsent("the request cannot be written down".into()),
        error if error.is_connect() => Trouble::Unsent(format!("{host} cannot be reached")),
        _ => Trouble::Lost(format!("{host} cut the connection before it answered")),
    }
}
