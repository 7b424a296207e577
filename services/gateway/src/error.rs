//! Why a door said no, and the one table that says it in each door's language.

use async_graphql::ErrorExtensions;
use axum::Json;
use axum::response::{IntoResponse, Response};
use events::Kind;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is malformed or over a limit; the text says which.
    #[error("{0}")]
    Invalid(String),
    /// Nobody is signed in, or with a token that is not believed.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// It does not exist, or not for this caller.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The read model did not reach the wanted cursor in time.
    #[error("the read model has not reached this cursor yet, ask again")]
    Timeout,
    /// The process is about to stop.
    #[error("this node is shutting down, connect again")]
    Draining,
    /// A command failed.
    #[error(transparent)]
    Commands(#[from] commands::Error),
    /// The event store failed.
    #[error(transparent)]
    Store(#[from] event_store::Error),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// A key or a person's name could not be had.
    #[error(transparent)]
    Keyring(#[from] keyring::Error),
    /// A question to the read model failed.
    #[error(transparent)]
    ReadModel(#[from] projections::Error),
    /// Listening failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Data that cannot be: the text is for our log.
    #[error("{0}")]
    Broken(String),
}

/// A kind of failure in every door's language.
struct Meaning {
    status: StatusCode,
    code: &'static str,
    close: u16,
}

/// The table: kind, HTTP status, `code` of problems and of GraphQL errors, WebSocket close code.
fn meaning(kind: Kind) -> Meaning {
    let (status, code, close) = match kind {
        Kind::Invalid => (StatusCode::BAD_REQUEST, "BAD_USER_INPUT", 4400),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", 4403),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "FORBIDDEN", 4403),
        Kind::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND", 4404),
        Kind::Conflict => (StatusCode::CONFLICT, "CONFLICT", 4409),
        Kind::Rejected => (StatusCode::UNPROCESSABLE_ENTITY, "REJECTED", 4400),
        Kind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", 4429),
        Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", 1013),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", 1011),
    };
    Meaning { status, code, close }
}

impl Error {
    /// What it means to whoever asked.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::Unauthenticated(_) => Kind::Unauthenticated,
            Self::NotFound(_) => Kind::NotFound,
            Self::Timeout | Self::Draining => Kind::Unavailable,
            Self::Commands(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Log(error) => error.kind(),
            Self::Keyring(error) => error.kind(),
            Self::ReadModel(error) => error.kind(),
            Self::Io(_) | Self::Broken(_) => Kind::Internal,
        }
    }

    /// `code` of a problem or a GraphQL error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Timeout => "TIMEOUT",
            Self::Commands(commands::Error::IdempotencyKeyReused) => "IDEMPOTENCY_KEY_REUSED",
            Self::Commands(commands::Error::Rejected(rejection)) => rejection.code,
            _ => meaning(self.kind()).code,
        }
    }

    /// The HTTP status of the doors that answer with one.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        meaning(self.kind()).status
    }

    /// The code that a WebSocket is closed with.
    #[must_use]
    pub fn close_code(&self) -> u16 {
        match self {
            Self::Draining => 1012,
            _ => meaning(self.kind()).close,
        }
    }

    /// What the caller may read: the text of a failure of ours stays in our log.
    #[must_use]
    pub fn public_message(&self) -> String {
        match (self, self.kind()) {
            (Self::Timeout | Self::Draining, _) => self.to_string(),
            (_, Kind::Internal) => "something went wrong on our side".into(),
            (_, Kind::Unavailable) => "a part of the system cannot be reached at the moment, try again".into(),
            _ => self.to_string(),
        }
    }

    fn log(&self) {
        match self.kind() {
            Kind::Internal => tracing::error!(error = %self, "a request failed"),
            Kind::Unavailable => tracing::warn!(error = %self, "a request could not be served"),
            _ => {}
        }
    }
}

/// An [`Error`] as a GraphQL resolver returns it: logged, masked and coded.
///
/// It has no `Display` on purpose: async-graphql would turn anything that has one into an error with that very text.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    code: &'static str,
    message: String,
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        let error = error.into();
        error.log();
        Self { code: error.code(), message: error.public_message() }
    }
}

impl From<Refusal> for async_graphql::Error {
    fn from(refusal: Refusal) -> Self {
        async_graphql::Error::new(refusal.message).extend_with(|_, extensions| extensions.set("code", refusal.code))
    }
}

/// RFC 9457.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        problem(self.status(), self.code(), &self.public_message())
    }
}

/// An RFC 9457 answer; `code` says it to programs, `detail` to people.
pub(crate) fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body =
        json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail });
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
