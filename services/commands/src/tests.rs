//! What the crate's tests share, and those that need more than one rule.
#![expect(clippy::disallowed_methods, reason = "tests make ids and times as they need them")]

mod dispatch;
pub(crate) mod fixtures;
mod hardship;
mod invariants;
mod repeats;
mod requests;
mod runs;
mod world;
