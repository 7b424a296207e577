//! The doors of a gateway on an embedded node, asked as clients ask.

#[path = "../stand/mod.rs"]
mod stand;

mod access;
mod approvals;
mod auth;
mod health;
mod http_rules;
mod masking;
mod mutations;
mod paths;
mod queries;
mod serving;
mod turns;
