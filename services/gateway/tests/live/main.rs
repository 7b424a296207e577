//! Live updates over the real transports: a node on the embedded log, answers written step by step, clients that come and go.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod node;
#[path = "../stand/scribe.rs"]
mod scribe;
mod watch;

mod access;
mod events;
mod messages;
mod parked;
mod resume;
mod sockets;
mod teams;
