//! Who answers, with which model, and how patiently.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::{Table, Value};

use super::layers::Layers;
use super::secret::Secret;
use super::{duration, known, tools};
use crate::failure::{Failure, Outcome};

/// Everything about agents, models and those who provide them.
#[derive(Clone, Debug)]
pub(crate) struct Agents {
    /// The model of agents that name none.
    pub(crate) model: String,
    /// How long a silent worker keeps its run.
    pub(crate) lease: Duration,
    /// Answers that one process produces at once.
    pub(crate) concurrency: usize,
    /// How long an upstream may keep us waiting.
    pub(crate) timeouts: Timeouts,
    /// The longest line of an upstream, in bytes.
    pub(crate) line_limit: usize,
    /// The longest answer with its reasoning, in bytes.
    pub(crate) answer_limit: usize,
    /// How much of the conversation a model is shown, in bytes.
    pub(crate) history_limit: usize,
    /// The offline model's pause between two words.
    pub(crate) offline_pace: Duration,
    /// `[agents.<name>]`.
    pub(crate) profiles: BTreeMap<String, Profile>,
    /// `[providers.<name>]`, and `openai`.
    pub(crate) providers: BTreeMap<String, Provider>,
    /// `[models] allow`.
    pub(crate) allowed_models: Option<Vec<String>>,
    /// `[tools.<name>]` and `[egress]`.
    pub(crate) tools: agents::ToolSettings,
}

/// How long an upstream may keep us waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For a connection.
    pub(crate) connect: Duration,
    /// From the request to the first piece.
    pub(crate) first_token: Duration,
    /// Between two pieces.
    pub(crate) idle: Duration,
    /// For the whole answer.
    pub(crate) total: Duration,
}

/// An agent as the file describes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    /// What it is for, shown to clients.
    pub(crate) description: Option<String>,
    /// Its model, if not the default one.
    pub(crate) model: Option<String>,
    /// What it is told before the conversation.
    pub(crate) instructions: Option<String>,
}

/// A server that speaks OpenAI's protocol.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    /// Where it is.
    pub(crate) base_url: String,
    /// The variable that holds its key.
    pub(crate) key_env: Option<String>,
    /// The key; some servers want none.
    pub(crate) key: Option<Secret>,
}

impl Agents {
    pub(super) fn read(layers: &Layers, environment: &BTreeMap<String, String>) -> Outcome<Self> {
        let timeouts = Timeouts {
            connect: layers.read("timeouts.connect", duration::parse)?,
            first_token: layers.read("timeouts.first_token", duration::parse)?,
            idle: layers.read("timeouts.idle", duration::parse)?,
            total: layers.read("timeouts.total", duration::parse)?,
        };
        let providers = providers(layers, environment)?;
        Ok(Self {
            tools: tools::read(layers, environment, &providers["openai"])?,
            model: layers.read("model", |model| Ok(model.to_owned()))?,
            lease: layers.read("lease", lease)?,
            concurrency: layers.read("concurrency", |text| number(text, 1..=100_000))?,
            timeouts,
            line_limit: layers.read("limits.line", |text| number(text, 1024..=64 << 20))?,
            answer_limit: layers.read("limits.answer", |text| number(text, 1024..=512 << 10))?,
            history_limit: layers.read("limits.history", |text| number(text, 1024..=64 << 20))?,
            offline_pace: layers.read("offline.pace", duration::parse)?,
            profiles: profiles(&layers.tables)?,
            providers,
            allowed_models: allowed_models(&layers.tables)?,
        })
    }
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration::parse(text)?;
    let sane = Duration::from_secs(1)..=Duration::from_secs(600);
    if sane.contains(&lease) { Ok(lease) } else { Err("a lease lasts from 1s to 10m".into()) }
}

fn number(text: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("\"{text}\" is not a number from {} to {}", range.start(), range.end()))
}

/// The tables `[<section>.<name>]`, by name.
pub(super) fn named<'t>(tables: &'t Table, section: &str) -> Outcome<Vec<(&'t str, &'t Table)>> {
    let Some(value) = tables.get(section) else { return Ok(Vec::new()) };
    let all = value.as_table().ok_or_else(|| Failure::usage(format!("{section} must be a table")))?;
    let entry = |(name, value): (&'t String, &'t Value)| match value.as_table() {
        Some(table) => Ok((name.as_str(), table)),
        None => Err(Failure::usage(format!("{section}.{name} must be a table"))),
    };
    all.iter().map(entry).collect()
}

/// The texts of a table that has these keys and no others.
fn texts<'t>(place: &str, table: &'t Table, keys: &[&'static str]) -> Outcome<BTreeMap<&'static str, &'t str>> {
    let text = |(key, value): (&String, &'t Value)| {
        let Some(known) = keys.iter().find(|known| *known == key) else {
            let nearest = known::nearest(key, keys.iter().copied());
            return Err(Failure::usage(format!("unknown key {place}.{key}; the nearest is {nearest}")));
        };
        let text = value.as_str().ok_or_else(|| Failure::usage(format!("{place}.{key} must be a text")))?;
        Ok((*known, text))
    };
    table.iter().map(text).collect()
}

fn profiles(tables: &Table) -> Outcome<BTreeMap<String, Profile>> {
    let profile = |(name, table): (&str, &Table)| {
        let texts = texts(&format!("agents.{name}"), table, &["description", "model", "instructions"])?;
        let text = |key: &str| texts.get(key).map(|text| (*text).to_owned());
        let profile =
            Profile { description: text("description"), model: text("model"), instructions: text("instructions") };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            return Err(Failure::usage(format!("agents.{name}: names are letters, digits, '_' and '-', 64 at most")));
        }
        Ok((name.to_owned(), profile))
    };
    named(tables, "agents")?.into_iter().map(profile).collect()
}

fn providers(layers: &Layers, environment: &BTreeMap<String, String>) -> Outcome<BTreeMap<String, Provider>> {
    let mut providers = BTreeMap::new();
    for (name, table) in named(&layers.tables, "providers")? {
        let place = format!("providers.{name}");
        let texts = texts(&place, table, &["kind", "base_url", "key_env"])?;
        let need = |key: &str| texts.get(key).copied().ok_or_else(|| Failure::usage(format!("{place} needs {key}")));
        if need("kind")? != "openai" {
            return Err(Failure::usage(format!("{place}.kind: the kind that is known is openai")));
        }
        let base_url = need("base_url")?.to_owned();
        if !base_url.starts_with("http://") && !base_url.starts_with("https://") {
            return Err(Failure::usage(format!("{place}.base_url must begin with http:// or https://")));
        }
        let key_env = texts.get("key_env").map(|name| (*name).to_owned());
        let key = key_env.as_ref().and_then(|name| environment.get(name)).filter(|key| !key.is_empty());
        let key = key.map(|key| Secret::new(key.clone()));
        providers.insert(name.to_owned(), Provider { base_url, key_env, key });
    }
    let base_url = layers.read("openai_base_url", |url| Ok(url.to_owned()))?;
    let key = layers.get("openai_api_key").map(|key| Secret::new(key.to_owned()));
    let openai = Provider { base_url, key_env: Some("OPENAI_API_KEY".into()), key };
    providers.entry("openai".into()).or_insert(openai);
    Ok(providers)
}

fn allowed_models(tables: &Table) -> Outcome<Option<Vec<String>>> {
    let Some(models) = tables.get("models") else { return Ok(None) };
    let table = models.as_table().ok_or_else(|| Failure::usage("models must be a table"))?;
    if let Some(key) = table.keys().find(|key| *key != "allow") {
        return Err(Failure::usage(format!("unknown key models.{key}; the nearest is allow")));
    }
    let Some(allow) = table.get("allow") else { return Ok(None) };
    let names = allow.as_array().and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    names.map(Some).ok_or_else(|| Failure::usage("models.allow must be a list of models"))
}
