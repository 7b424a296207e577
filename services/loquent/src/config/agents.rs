//! Who answers, with which model, and how patiently.

mod providers;

use std::collections::BTreeMap;
use std::time::Duration;

use toml::{Table, Value};

use super::layers::Layers;
use super::money::Approvals;
use super::profiles::Profile;
use super::{duration, money, profiles, tools};
use crate::failure::{Failure, Outcome};

pub(crate) use providers::{Breaker, Provider};

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
    /// When a server is left alone.
    pub(crate) breaker: Breaker,
    /// `[providers.<name>]`, `openai` and `anthropic`.
    pub(crate) providers: BTreeMap<String, Provider>,
    /// `[prices."<model>"]`.
    pub(crate) prices: ::agents::Prices,
    /// `[budgets]`.
    pub(crate) budgets: ::agents::Budgets,
    /// `[approvals]`.
    pub(crate) approvals: Approvals,
    /// `[titles] model`.
    pub(crate) title_model: Option<String>,
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

impl Agents {
    pub(super) fn read(layers: &Layers, environment: &BTreeMap<String, String>) -> Outcome<Self> {
        let timeouts = Timeouts {
            connect: layers.read("timeouts.connect", duration::parse)?,
            first_token: layers.read("timeouts.first_token", duration::parse)?,
            idle: layers.read("timeouts.idle", duration::parse)?,
            total: layers.read("timeouts.total", duration::parse)?,
        };
        let line_limit = layers.read("limits.line", line_limit)?;
        let breaker = Breaker::read(layers)?;
        let defaults = providers::Defaults { timeouts, line_limit, breaker };
        let providers = providers::read(layers, environment, &defaults)?;
        Ok(Self {
            tools: tools::read(layers, environment)?,
            model: layers.read("model", |model| Ok(model.to_owned()))?,
            lease: layers.read("lease", lease)?,
            concurrency: layers.read("concurrency", |text| number(text, 1..=100_000))?,
            timeouts,
            line_limit,
            answer_limit: layers.read("limits.answer", |text| number(text, 1024..=512 << 10))?,
            history_limit: layers.read("limits.history", |text| number(text, 1024..=64 << 20))?,
            offline_pace: layers.read("offline.pace", duration::parse)?,
            profiles: profiles::read(&layers.tables)?,
            prices: money::prices(&layers.tables)?,
            budgets: money::budgets(&layers.tables)?,
            approvals: money::approvals(&layers.tables)?,
            breaker,
            providers,
            title_model: layers.get("titles.model").filter(|model| !model.is_empty()).map(str::to_owned),
            allowed_models: allowed_models(&layers.tables)?,
        })
    }
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration::parse(text)?;
    let sane = Duration::from_secs(1)..=Duration::from_secs(600);
    if sane.contains(&lease) { Ok(lease) } else { Err("a lease lasts from 1s to 10m".into()) }
}

fn line_limit(text: &str) -> Result<usize, String> {
    number(text, 1024..=64 << 20)
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
