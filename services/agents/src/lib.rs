//! Agents: they react to the log, ask models, and stream what these say.
//!
//! Nothing is decided here: every step is a command that the store accepts or refuses, so a worker that was taken for dead and
//! still speaks is not heard. What is to be done stands in one table (the work table), written in the transaction that moves the
//! checkpoint; workers take from it under leases.
//!
//! * `agents`: the public face; `context`: what every piece of work needs
//! * `consumer`: from the log to the work table; `work`: that table
//! * `worker`, `registry`: taking, keeping and giving back
//! * `turn`, `run`, `tool_call`: what a piece of work is, one for each role; `title`: another one for models
//! * `history`, `profile`, `prompt`: what a model is shown; `model`: the models; `tool`: the tools
//! * `structured`: whether an answer has the form that was asked for
//! * `answer`, `chunks`, `heard`: the way of an answer's pieces to the log
//! * `money`, `budget`, `begin`: what calls take, what they may, and how that is held before one leaves
//! * `trace`: the spans of all that; `queue`: how much of it waits

mod agents;
mod answer;
mod begin;
mod budget;
mod chunks;
mod consumer;
mod context;
mod error;
mod exact;
mod heard;
mod history;
mod model;
mod money;
mod profile;
mod prompt;
mod queue;
mod registry;
mod run;
#[cfg(test)]
mod scripted;
mod settings;
mod structured;
#[cfg(test)]
mod tests;
mod title;
mod tool;
mod tool_call;
mod trace;
mod turn;
mod work;
mod worker;

pub use agents::Agents;
pub use budget::{Allowance, Budgets};
pub use error::{Error, Result};
pub use exact::{Asked, Exact, exact_request};
pub use model::{BreakerState, Breakers, check_fallbacks, check_model};
pub use money::{Price, Prices};
pub use settings::{BreakerSettings, Provider, ProviderKind, Role, Secret, Settings, Timeouts};
pub use tool::{BUILT_IN_TOOLS, BuiltIn, Effect, Header, HttpTool, Rules, ToolSettings, argument_check, check_tools};
