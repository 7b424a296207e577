//! The nine kinds of failure that every crate's error maps to.

/// What an error means to whoever asked. The gateway maps a kind to a status or a code in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The input is malformed or over a limit.
    Invalid,
    /// Nobody is signed in, or the token is false or expired.
    Unauthenticated,
    /// Signed in, but not allowed.
    Forbidden,
    /// It does not exist, or not for this caller.
    NotFound,
    /// Somebody else was faster, or an idempotency key was used with other input.
    Conflict,
    /// A business rule said no.
    Rejected,
    /// Too many requests.
    RateLimited,
    /// The store, the log or a model cannot be reached now.
    Unavailable,
    /// A defect or broken data; its text never leaves the process.
    Internal,
}
