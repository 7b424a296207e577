//! All tools of this process, by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use events::event::Approval;
use ipnet::IpNet;
use serde_json::{Value, json};

use super::built_in::{self, GitHub, Image, WebSearch};
use super::cache::{Cache, Key};
use super::egress::{Egress, Guard, LONGEST};
use super::http::{Asked, Http};
use super::schema::Schema;
use super::settings::{BUILT_IN_TOOLS, BuiltIn, Effect, HttpTool, Rules, ToolSettings};
use super::{Call, Kind, Outcome, Tool};
use crate::{Error, Result};

/// For a whole call, where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For a picture.
const DRAWING: Duration = Duration::from_secs(120);
/// The longest that a picture may take.
const LONGEST_DRAWING: Duration = Duration::from_secs(600);
/// Bytes of a result, where nothing else is said.
const RESULT: usize = 256 << 10;
/// The largest result that fits into a record.
const LARGEST_RESULT: usize = 512 << 10;

/// Finds tools, checks their arguments, carries them out. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tools {
    tools: Arc<BTreeMap<String, Tool>>,
    egress: Egress,
    cache: Cache,
}

/// What a tool is before the operator's rules are laid over it.
struct Draft {
    description: String,
    parameters: Value,
    effect: Effect,
    timeout: Duration,
    longest: Duration,
    approval: Approval,
    lacks: Option<&'static str>,
    kind: Kind,
}

impl Tools {
    /// The built-in tools and those of the settings.
    ///
    /// # Errors
    /// One of them cannot be used as it is described.
    pub(crate) fn new(settings: &ToolSettings) -> Result<Self> {
        let network = |text: &String| {
            let parsed: std::result::Result<IpNet, _> = text.parse();
            parsed.map_err(|_| Error::Tool(format!("egress.allow: \"{text}\" is no network such as 10.0.0.0/8")))
        };
        let allowed = settings.allow.iter().map(network).collect::<Result<Vec<_>>>()?;
        Self::behind(Guard::new(allowed), settings)
    }

    /// As [`Tools::new`], with this guard before the network.
    pub(super) fn behind(guard: Guard, settings: &ToolSettings) -> Result<Self> {
        let mut tools = BTreeMap::new();
        let unknown = settings.built_in.keys().find(|name| BUILT_IN_TOOLS.iter().all(|(known, _)| known != name));
        if let Some(name) = unknown {
            return Err(Error::Tool(format!("tools.{name} is no built-in tool")));
        }
        for (name, _) in BUILT_IN_TOOLS {
            let said = settings.built_in.get(name).cloned().unwrap_or_default();
            let tool = built_in(name, settings, &said).and_then(|draft| draft.finish(name, &said.rules, None));
            tools.insert(name.to_owned(), tool.map_err(|why| Error::Tool(format!("tools.{name}: {why}")))?);
        }
        for (name, said) in &settings.http {
            let tool = declared(name, said).and_then(|draft| draft.finish(name, &said.rules, said.idempotent));
            tools.insert(name.clone(), tool.map_err(|why| Error::Tool(format!("tools.{name}: {why}")))?);
        }
        Ok(Self { tools: Arc::new(tools), egress: Egress::guarded(guard), cache: Cache::new(None) })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name)
    }

    /// Arguments as the model wrote them, in canonical form.
    ///
    /// # Errors
    /// They do not fit the tool; the message is for the model, which can mend them.
    pub(crate) fn check(&self, tool: &Tool, arguments: &str) -> std::result::Result<Value, String> {
        tool.schema.check(arguments)
    }

    /// Carries a call out, with arguments that were checked. That it may run is the caller's decision.
    pub(crate) async fn run(&self, tool: &Tool, call: Call<'_>, arguments: &Value) -> Outcome {
        if let Some(lacks) = tool.lacks {
            return Outcome::Failed(format!("{} cannot be used here: {lacks} is not set", tool.name));
        }
        let is_kept = tool.effect == Effect::Read && !tool.cache.is_zero();
        let key = is_kept.then(|| Key::new(call.tenant, &tool.name, arguments));
        if let Some(kept) = key.as_ref().and_then(|key| self.cache.get(key)) {
            return kept;
        }
        let asked = Asked { egress: &self.egress, tool, call: call.id, arguments };
        let outcome = match &tool.kind {
            Kind::Agent => Outcome::Failed("an agent is asked by the run that calls it".into()),
            Kind::Http(http) => http.run(asked).await,
            Kind::WebSearch(search) => search.run(asked).await,
            Kind::GitHub(github) => github.run(asked).await,
            Kind::FetchUrl => built_in::fetch(asked).await,
            Kind::Image(image) => image.run(asked).await,
        };
        if let Some(key) = key {
            self.cache.keep(key, &outcome, tool.cache);
        }
        outcome
    }
}

impl Draft {
    fn read(description: &str, parameters: Value, kind: Kind) -> Self {
        Self {
            description: description.into(),
            parameters,
            effect: Effect::Read,
            timeout: TIMEOUT,
            longest: LONGEST,
            approval: Approval::Auto,
            lacks: None,
            kind,
        }
    }

    /// Lays the operator's rules over it.
    fn finish(self, name: &str, rules: &Rules, idempotent: Option<bool>) -> std::result::Result<Tool, String> {
        let (timeout, cache) = (rules.timeout.unwrap_or(self.timeout), rules.cache.unwrap_or_default());
        if timeout.is_zero() || timeout > self.longest {
            return Err(format!("timeout must be more than nothing and at most {:?}", self.longest));
        }
        if self.effect == Effect::Write && !cache.is_zero() {
            return Err("only results of tools that read can be cached".into());
        }
        let result_limit = rules.result_limit.unwrap_or(RESULT);
        if !(1..=LARGEST_RESULT).contains(&result_limit) {
            return Err(format!("result_limit must be from 1 to {LARGEST_RESULT} bytes"));
        }
        Ok(Tool {
            name: name.into(),
            schema: Schema::new(&self.parameters)?,
            description: self.description,
            parameters: self.parameters,
            effect: self.effect,
            idempotent: idempotent.unwrap_or(self.effect == Effect::Read),
            approval: rules.approval.unwrap_or(self.approval),
            timeout,
            cache,
            lacks: self.lacks,
            kind: self.kind,
            result_limit,
        })
    }
}

/// A write asks, unless the operator says that it need not.
fn declared(name: &str, said: &HttpTool) -> std::result::Result<Draft, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        return Err("names are letters, digits, '_' and '-', 64 at most".into());
    }
    if BUILT_IN_TOOLS.iter().any(|(known, _)| *known == name) {
        return Err("this name belongs to a built-in tool".into());
    }
    let http = Http::new(said)?;
    let effect = said.effect.unwrap_or(http.effect());
    let approval = if effect == Effect::Write { Approval::Ask } else { Approval::Auto };
    let draft = Draft::read(&said.description, said.parameters.clone(), Kind::Http(http));
    Ok(Draft { effect, approval, ..draft })
}

fn built_in(name: &str, settings: &ToolSettings, said: &BuiltIn) -> std::result::Result<Draft, String> {
    let base_url = |usual: &'static str| said.base_url.as_deref().unwrap_or(usual);
    match name {
        "web_search" => {
            let search = WebSearch::new(base_url("https://api.tavily.com"), settings.tavily_key.as_ref())?;
            let kind = Kind::WebSearch(search);
            // A server of one's own may want no key.
            let lacks = settings.tavily_key.is_none() && said.base_url.is_none();
            let draft =
                Draft::read("Searches the web; gives titles, addresses and excerpts", WebSearch::schema(), kind);
            Ok(Draft { lacks: lacks.then_some("TAVILY_API_KEY"), ..draft })
        }
        "github" => {
            let github = GitHub::new(base_url("https://api.github.com"), settings.github_token.as_ref())?;
            let description = "Searches repositories and code on GitHub, reads files and lists issues";
            Ok(Draft::read(description, GitHub::schema(), Kind::GitHub(github)))
        }
        "fetch_url" => {
            let description = "Fetches a page from the web and gives its readable text";
            let url =
                json!({ "type": "string", "pattern": "^https?://", "maxLength": 8000, "description": "The address" });
            Ok(Draft::read(description, of_texts([("url", url)]), Kind::FetchUrl))
        }
        "generate_image" => {
            let image = Image::new(&settings.images, said.model.as_deref().unwrap_or("gpt-image-1"))?;
            let draft = Draft::read("Draws a picture", Image::schema(), Kind::Image(image));
            let lacks =
                settings.images.api_key.is_none() && settings.images.base_url.starts_with("https://api.openai.com/");
            let lacks = lacks.then_some("OPENAI_API_KEY");
            Ok(Draft { effect: Effect::Write, timeout: DRAWING, longest: LONGEST_DRAWING, lacks, ..draft })
        }
        _ => {
            let agent = json!({ "type": "string", "minLength": 1, "description": "The agent's name" });
            let request =
                json!({ "type": "string", "minLength": 1, "description": "What it is to do, with all it has to know" });
            let parameters = of_texts([("agent", agent), ("request", request)]);
            Ok(Draft::read("Asks another agent and gives its answer", parameters, Kind::Agent))
        }
    }
}

/// The schema of arguments that must all be there.
fn of_texts<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let required: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let properties: serde_json::Map<_, _> =
        fields.iter().map(|(name, field)| ((*name).into(), field.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}
