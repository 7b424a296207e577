//! `[providers.<name>]`, and the two that are there without being named.

use std::collections::BTreeMap;
use std::time::Duration;

use agents::ProviderKind;
use toml::{Table, Value};

use super::{Timeouts, named, number};
use crate::config::layers::Layers;
use crate::config::secret::Secret;
use crate::config::{duration, known};
use crate::failure::{Failure, Outcome};

/// A server that offers models.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    /// What it speaks.
    pub(crate) kind: ProviderKind,
    /// Where it is.
    pub(crate) base_url: String,
    /// The variable that holds its key.
    pub(crate) key_env: Option<String>,
    /// The key; some servers want none.
    pub(crate) key: Option<Secret>,
    /// Models that are asked in its place.
    pub(crate) fallback: Vec<String>,
    /// How long it may keep us waiting.
    pub(crate) timeouts: Timeouts,
    /// Its longest line, in bytes.
    pub(crate) line_limit: usize,
    /// When it is left alone.
    pub(crate) breaker: Breaker,
    /// Its longest answer in tokens; only Anthropic's protocol needs it.
    pub(crate) max_output_tokens: u32,
}

/// When a server is left alone, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breaker {
    /// After so many failures in a row.
    pub(crate) failures: u32,
    /// Until it is tried again.
    pub(crate) open: Duration,
}

/// What holds for providers that say nothing else.
pub(super) struct Defaults {
    pub(super) timeouts: Timeouts,
    pub(super) line_limit: usize,
    pub(super) breaker: Breaker,
}

const KEYS: [&str; 8] =
    ["kind", "base_url", "key_env", "fallback", "timeouts", "line_limit", "breaker", "max_output_tokens"];

impl Breaker {
    pub(super) fn read(layers: &Layers) -> Outcome<Self> {
        Ok(Self {
            failures: layers.read("breaker.failures", failures)?,
            open: layers.read("breaker.open", duration::parse)?,
        })
    }
}

impl Provider {
    /// Whether it is the provider's own service, which answers nobody without a key.
    pub(crate) fn is_original(&self) -> bool {
        ["https://api.openai.com", "https://api.anthropic.com"].iter().any(|url| self.base_url.starts_with(url))
    }
}

/// All of them, by name.
pub(super) fn read(
    layers: &Layers,
    environment: &BTreeMap<String, String>,
    defaults: &Defaults,
) -> Outcome<BTreeMap<String, Provider>> {
    let nothing = Table::new();
    let mut tables = BTreeMap::from([("openai", &nothing), ("anthropic", &nothing)]);
    tables.extend(named(&layers.tables, "providers")?);
    let provider = |(name, table): (&str, &Table)| {
        let fields = Fields::new(format!("providers.{name}"), table, &KEYS)?;
        Ok((name.to_owned(), provider(name, &fields, layers, environment, defaults)?))
    };
    tables.into_iter().map(provider).collect()
}

fn provider(
    name: &str,
    fields: &Fields<'_>,
    layers: &Layers,
    environment: &BTreeMap<String, String>,
    defaults: &Defaults,
) -> Outcome<Provider> {
    let (kind, base_url, key) = match name {
        "openai" => {
            (Some("openai"), layers.get("openai_base_url"), Some(("OPENAI_API_KEY", layers.get("openai_api_key"))))
        }
        "anthropic" => {
            let key = ("ANTHROPIC_API_KEY", layers.get("anthropic_api_key"));
            (Some("anthropic"), layers.get("anthropic_base_url"), Some(key))
        }
        _ => (None, None, None),
    };
    let need = |key: &str| Failure::usage(format!("{} needs {key}", fields.place));
    let kind = match fields.text("kind")?.or(kind).ok_or_else(|| need("kind"))? {
        "openai" => ProviderKind::OpenAi,
        "anthropic" => ProviderKind::Anthropic,
        _ => return Err(Failure::usage(format!("{}.kind: the kinds are openai and anthropic", fields.place))),
    };
    let base_url = fields.text("base_url")?.or(base_url).ok_or_else(|| need("base_url"))?;
    if !base_url.starts_with("http://") && !base_url.starts_with("https://") {
        return Err(Failure::usage(format!("{}.base_url must begin with http:// or https://", fields.place)));
    }
    let (key_env, key) = match (fields.text("key_env")?, key) {
        (Some(variable), _) => (Some(variable), environment.get(variable).map(String::as_str)),
        // The key of the well-known address goes to no other that the file names.
        (None, Some((variable, key))) if fields.text("base_url")?.is_none() => (Some(variable), key),
        (None, _) => (None, None),
    };
    let max_output_tokens = fields.parsed("max_output_tokens", |text| number(text, 1..=10_000_000))?;
    Ok(Provider {
        kind,
        base_url: base_url.to_owned(),
        key_env: key_env.map(str::to_owned),
        key: key.filter(|key| !key.is_empty()).map(|key| Secret::new(key.to_owned())),
        fallback: fields.texts("fallback")?,
        timeouts: timeouts(fields, defaults.timeouts)?,
        line_limit: fields.parsed("line_limit", super::line_limit)?.unwrap_or(defaults.line_limit),
        breaker: breaker(fields, defaults.breaker)?,
        max_output_tokens: max_output_tokens.unwrap_or(8192) as u32,
    })
}

fn timeouts(fields: &Fields<'_>, defaults: Timeouts) -> Outcome<Timeouts> {
    let Some(fields) = fields.table("timeouts", &["connect", "first_token", "idle", "total"])? else {
        return Ok(defaults);
    };
    let length = |key, default| -> Outcome<Duration> { Ok(fields.parsed(key, duration::parse)?.unwrap_or(default)) };
    Ok(Timeouts {
        connect: length("connect", defaults.connect)?,
        first_token: length("first_token", defaults.first_token)?,
        idle: length("idle", defaults.idle)?,
        total: length("total", defaults.total)?,
    })
}

fn breaker(fields: &Fields<'_>, defaults: Breaker) -> Outcome<Breaker> {
    let Some(fields) = fields.table("breaker", &["failures", "open"])? else { return Ok(defaults) };
    Ok(Breaker {
        failures: fields.parsed("failures", failures)?.unwrap_or(defaults.failures),
        open: fields.parsed("open", duration::parse)?.unwrap_or(defaults.open),
    })
}

fn failures(text: &str) -> Result<u32, String> {
    number(text, 1..=1_000_000).map(|failures| failures as u32)
}

/// A table that has known keys only.
struct Fields<'t> {
    place: String,
    table: &'t Table,
}

impl<'t> Fields<'t> {
    fn new(place: String, table: &'t Table, known: &[&'static str]) -> Outcome<Self> {
        match table.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => {
                let nearest = known::nearest(key, known.iter().copied());
                Err(Failure::usage(format!("unknown key {place}.{key}; the nearest is {nearest}")))
            }
            None => Ok(Self { place, table }),
        }
    }

    fn wrong(&self, key: &str, why: impl std::fmt::Display) -> Failure {
        Failure::usage(format!("{}.{key} {why}", self.place))
    }

    fn text(&self, key: &str) -> Outcome<Option<&'t str>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, "must be a text"))
    }

    fn texts(&self, key: &str) -> Outcome<Vec<String>> {
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        let texts = value.as_array().and_then(|all| all.iter().map(|text| text.as_str().map(str::to_owned)).collect());
        texts.ok_or_else(|| self.wrong(key, "must be a list of texts"))
    }

    /// A text or a whole number, read by `parse`.
    fn parsed<T>(&self, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Outcome<Option<T>> {
        let text = match self.table.get(key) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Integer(number)) => number.to_string(),
            Some(_) => return Err(self.wrong(key, "must be one value")),
        };
        parse(&text).map(Some).map_err(|why| self.wrong(key, format_args!("is wrong: {why}")))
    }

    fn table(&self, key: &str, known: &[&'static str]) -> Outcome<Option<Self>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let table = value.as_table().ok_or_else(|| self.wrong(key, "must be a table"))?;
        Fields::new(format!("{}.{key}", self.place), table, known).map(Some)
    }
}
