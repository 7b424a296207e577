//! The doors: GraphQL over HTTP, server-sent events and WebSocket; who may come in; health and metrics of every role.
//!
//! Queries ask the read model, mutations go to `commands`, live updates come from the node's one tail of the log. Nothing
//! is decided here: no business rule, no event. Only this crate knows HTTP.

pub mod auth;
mod awaited;
mod error;
mod gateway;
mod graphql;
pub mod health;
mod http;
pub mod live;
mod patience;
mod settings;

pub use error::Error;
pub use gateway::Gateway;
pub use graphql::sdl;
pub use settings::{ArgumentCheck, Deps, Settings};

/// What this crate's functions answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;
