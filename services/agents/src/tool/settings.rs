//! What the operator says about tools.

use std::collections::BTreeMap;
use std::time::Duration;

use events::event::Approval;
use serde_json::Value;

use super::Tools;
use crate::Result;
use crate::settings::Secret;

/// Tools beside the built-in ones, and what holds for these.
#[derive(Clone, Debug, Default)]
pub struct ToolSettings {
    /// Tools that are an HTTP request, by name.
    pub http: BTreeMap<String, HttpTool>,
    /// What is said about built-in tools, by name.
    pub built_in: BTreeMap<String, BuiltIn>,
    /// Networks that tools may reach besides the public internet, in CIDR form.
    pub allow: Vec<String>,
    /// Opens Tavily's search.
    pub tavily_key: Option<Secret>,
    /// Opens GitHub's API; without it GitHub answers little.
    pub github_token: Option<Secret>,
}

/// A tool that is an HTTP request.
#[derive(Clone, Debug)]
pub struct HttpTool {
    /// What it is for, in words for the model.
    pub description: String,
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Where the request goes; arguments become its JSON body, or its query where the method has no body.
    pub url: String,
    /// The JSON Schema of the arguments.
    pub parameters: Value,
    /// Sent to this server alone.
    pub headers: Vec<Header>,
    /// Otherwise by the method: `GET` and `HEAD` read, all else writes.
    pub effect: Option<Effect>,
    /// Otherwise whether it only reads.
    pub idempotent: Option<bool>,
    /// How it may be used.
    pub rules: Rules,
}

/// A header of a tool's requests.
#[derive(Clone, Debug)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its whole value.
    pub value: Secret,
    /// Parts of the value that no model may see, should the server repeat them.
    pub secrets: Vec<Secret>,
}

/// What may be said about a built-in tool.
#[derive(Clone, Debug, Default)]
pub struct BuiltIn {
    /// How it may be used.
    pub rules: Rules,
    /// Another server that speaks the same API.
    pub base_url: Option<String>,
}

/// How a tool may be used; what is not said is the tool's default.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Who has to agree.
    pub approval: Option<Approval>,
    /// For the whole call.
    pub timeout: Option<Duration>,
    /// How long a result is good for the same arguments.
    pub cache: Option<Duration>,
    /// Bytes of a result; what is longer is cut and says so.
    pub result_limit: Option<usize>,
}

/// What a tool does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Read,
    /// Something that may not happen twice.
    Write,
}

/// The built-in tools, and what may be said about each beside the rules.
pub const BUILT_IN_TOOLS: [(&str, &[&str]); 4] =
    [("web_search", &["base_url"]), ("github", &["base_url"]), ("fetch_url", &[]), ("ask_agent", &[])];

/// Whether all tools of the settings can be used.
///
/// # Errors
/// One cannot; the message says which one and why.
pub fn check_tools(settings: &ToolSettings) -> Result<()> {
    Tools::new(settings).map(|_| ())
}
