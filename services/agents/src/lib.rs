//! Agents: they react to the log, ask models, and stream what these say.
//!
//! Nothing is decided here: every step is a command that the store accepts or refuses, so a worker that was taken for dead and
//! still speaks is not heard. What is to be done stands in one table (the work table), written in the transaction that moves the
//! checkpoint; workers take from it under leases.
//!
//! * `agents`: the public face; `context`: what every piece of work needs
//! * `consumer`: from the log to the work table; `work`: that table
//! * `worker`, `registry`: taking, keeping and giving back
//! * `turn`, `run`: what a piece of work is
//! * `history`, `prompt`: what a model is shown; `model`: the models themselves
//! * `tool`: what agents may do beside talking
//! * `answer`, `chunks`, `heard`: the way of an answer's pieces to the log

mod agents;
mod answer;
mod chunks;
mod consumer;
mod context;
mod error;
mod heard;
mod history;
mod model;
mod prompt;
mod registry;
mod run;
#[cfg(test)]
mod scripted;
mod settings;
#[cfg(test)]
mod tests;
#[cfg_attr(not(test), expect(dead_code, reason = "the run loop calls it next"))]
mod tool;
mod turn;
mod work;
mod worker;

pub use agents::Agents;
pub use error::{Error, Result};
pub use model::check_model;
pub use settings::{Provider, ProviderKind, Secret, Settings, Timeouts};
pub use tool::{
    Approval, BUILT_IN_TOOLS, BuiltIn, Effect, Header, HttpTool, ImageServer, Rules, ToolSettings, check_tools,
};
