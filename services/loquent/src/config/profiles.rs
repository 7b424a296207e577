//! `[agents.<name>]`: who answers, with what.

use std::collections::BTreeMap;

use events::event::{Approval, PlanKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};
use toml::Table;

use super::agents::named;
use super::known;
use crate::failure::{Failure, Outcome};

const KEYS: [&str; 9] =
    ["description", "model", "instructions", "tools", "temperature", "response_schema", "approval", "team", "plan"];

/// An agent as the file describes it; what it leaves out stays as it is built in.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Profile {
    /// What it is for, shown to clients.
    pub(crate) description: Option<String>,
    /// Its model, if not the default one.
    pub(crate) model: Option<String>,
    /// What it is told before the conversation.
    pub(crate) instructions: Option<String>,
    /// Names of its tools.
    pub(crate) tools: Option<Vec<String>>,
    /// How freely its model chooses words.
    pub(crate) temperature: Option<Number>,
    /// JSON Schema of its answers.
    pub(crate) response_schema: Option<Value>,
    /// The least that each of its tools needs.
    pub(crate) approval: Option<Approval>,
    /// Whom it lets work.
    pub(crate) team: Option<Vec<String>>,
    /// How it chooses among them.
    pub(crate) plan: Option<PlanKind>,
}

/// Reads all of them.
///
/// # Errors
/// A name or a key is unknown, or a value is of another kind.
pub(super) fn read(tables: &Table) -> Outcome<BTreeMap<String, Profile>> {
    let profile = |(name, table): (&str, &Table)| {
        let place = format!("agents.{name}");
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            return Err(Failure::usage(format!("{place}: names are letters, digits, '_' and '-', 64 at most")));
        }
        let profile: Profile = section(&place, table, &KEYS)?;
        if profile.plan == Some(PlanKind::Asked) {
            return Err(Failure::usage(format!("{place}.plan is fixed, rules or model")));
        }
        Ok((name.to_owned(), profile))
    };
    named(tables, "agents")?.into_iter().map(profile).collect()
}

/// A table that has these keys and no others.
///
/// # Errors
/// A key is unknown, or a value is of another kind.
pub(super) fn section<T: DeserializeOwned>(place: &str, table: &Table, keys: &[&'static str]) -> Outcome<T> {
    if let Some(unknown) = table.keys().find(|key| !keys.contains(&key.as_str())) {
        let nearest = known::nearest(unknown, keys.iter().copied());
        return Err(Failure::usage(format!("unknown key {place}.{unknown}; the nearest is {nearest}")));
    }
    let wrong = |error: toml::de::Error| Failure::usage(format!("{place}: {}", error.message()));
    toml::Value::Table(table.clone()).try_into().map_err(wrong)
}
