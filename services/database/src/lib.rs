//! One SQL text, two drivers: the same statement, with `$1` parameters, runs on PostgreSQL and on SQLite.
//!
//! Values are bound for both drivers and rows read by `FromRow` of both, so PostgreSQL keeps real `uuid`, `timestamptz`,
//! `jsonb` and `boolean` columns. Where the dialects truly differ, a caller asks for [`Database::dialect`] and matches once.
//! This crate knows no table but the migrations'.
//!
//! What runs a statement answers a boxed future: one that is not boxed would be compiled again, with the driver's own inside it, in
//! every crate above that awaits it. The same goes for the few entries to other crates that answer one.

mod connect;
mod error;
mod migrations;
mod rows;
mod sql;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;

pub use connect::{Database, Dialect};
pub use error::{Error, is_unavailable};
pub use sql::{Param, Row, Sql, sql};
pub use transaction::Transaction;

/// What this crate's functions answer.
pub type Result<T> = std::result::Result<T, Error>;
