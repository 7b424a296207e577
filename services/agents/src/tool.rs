//! Tools: what agents may do beside talking, and the guard in front of the network.
//!
//! Here a tool is described, its arguments are checked, and it is carried out. Whether it may run at all, what is written down about
//! it and what follows from its result is decided elsewhere: a result is data, and nothing here acts on what it says.
//!
//! * `settings`: what the operator says about tools; `tools`: all of them, by name
//! * `schema`: whether arguments fit; `cache`: results that are still good
//! * `http`: tools that the settings declare; `built_in`: those that every node has
//! * `egress`: the only way to the network; `reply`: how a server's answer becomes the end of a call
//! * `text`, `html`: what a model is shown of it

mod built_in;
mod cache;
mod egress;
mod html;
mod http;
mod reply;
mod schema;
mod settings;
mod text;
mod tools;

#[cfg(test)]
mod tests;

use std::time::Duration;

use events::event::Approval;
use serde_json::Value;

pub use settings::{BUILT_IN_TOOLS, BuiltIn, Effect, Header, HttpTool, Rules, ToolSettings, check_tools};
pub(crate) use tools::Tools;

/// A tool as the settings and the built-ins define it.
pub(crate) struct Tool {
    pub(crate) name: String,
    /// What it is for, in words for the model.
    pub(crate) description: String,
    /// The JSON Schema of its arguments.
    pub(crate) parameters: Value,
    pub(crate) effect: Effect,
    /// Whether it may be carried out again when nobody knows whether it was.
    pub(crate) idempotent: bool,
    pub(crate) approval: Approval,
    pub(crate) timeout: Duration,
    /// How long a result is good for the same arguments; zero: not at all.
    pub(crate) cache: Duration,
    /// The setting without which every call fails.
    pub(crate) lacks: Option<&'static str>,
    pub(crate) kind: Kind,
    result_limit: usize,
    schema: schema::Schema,
}

impl Tool {
    /// The end of a call whose result was put together here.
    fn sum_up(&self, result: Value, provenance: Vec<String>) -> Outcome {
        let json = result.to_string();
        match json.len() <= self.result_limit {
            true => Outcome::done(text::clean_value(result), provenance),
            false => Outcome::done(reply::shown(&json, self.result_limit, true).into(), provenance),
        }
    }
}

/// What carries a tool out.
pub(crate) enum Kind {
    /// Another agent: the run loop's own business, never carried out here.
    Agent,
    /// A request that the settings describe.
    Http(http::Http),
    /// A search of the web.
    WebSearch(built_in::WebSearch),
    /// GitHub's API.
    GitHub(built_in::GitHub),
    /// A page, as text.
    FetchUrl,
}

/// Whose call it is.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Results are kept for one tenant alone.
    pub(crate) tenant: &'a str,
    /// Becomes the `Idempotency-Key` of every request.
    pub(crate) id: &'a str,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It was carried out.
    Done {
        /// JSON, or a text; without control characters.
        result: Value,
        /// Where it comes from: addresses without credentials.
        provenance: Vec<String>,
        /// Nothing was asked: an earlier result of the same call is still good.
        cached: bool,
    },
    /// It was not carried out, or the server said no; in words for the model.
    Failed(String),
    /// A write whose request left and whose answer is unknown.
    Uncertain(String),
}

impl Outcome {
    fn done(result: Value, provenance: Vec<String>) -> Self {
        Self::Done { result, provenance, cached: false }
    }
}

/// Whether a call of this tool is another agent's to carry out.
pub(crate) fn is_an_agent(tools: &Tools, name: &str) -> bool {
    tools.get(name).is_some_and(|tool| matches!(tool.kind, Kind::Agent))
}

/// What says of a tool, by its name, and of arguments whether it takes them.
///
/// # Errors
/// A tool cannot be what the settings say.
pub fn argument_check(
    settings: &ToolSettings,
) -> crate::Result<impl Fn(&str, &Value) -> Result<(), String> + Send + Sync + 'static> {
    let tools = Tools::new(settings)?;
    Ok(move |name: &str, arguments: &Value| match tools.get(name) {
        Some(tool) => tools.check(tool, &arguments.to_string()).map(drop),
        None => Err("there is no such tool any more".into()),
    })
}
