//! Black-box tests: the real binary, in both forms, seen through its doors.
//!
//! * [`binary`]: finds the executable, and builds it once if it is out of date
//! * [`sandbox`]: a store, a log and a data directory of a test's own, and the processes on them
//! * [`process`]: one running process: started, killed, stopped, continued
//! * [`client`]: a person's typed client over GraphQL, server-sent events and WebSocket
//! * [`upstream`]: a scripted model server
//! * [`tool_server`]: a scripted server of tools
//! * [`collector`]: a collector of spans
//! * [`records`]: the events of a conversation, hidden ones included
//! * [`history`]: what must hold of everything that a person has seen

pub mod binary;
pub mod client;
pub mod collector;
pub mod history;
pub mod process;
pub mod records;
pub mod sandbox;
pub mod tool_server;
pub mod upstream;

use std::time::Duration;

/// How long anything may take that should take a moment: generous, for two cores that many tests share.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A number from the environment, for campaigns that are short by default.
#[must_use]
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
