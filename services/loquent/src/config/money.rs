//! `[prices]`, `[budgets]`, `[approvals]` and `[titles]`: what calls cost, how much they may, who allows tools.

use std::time::Duration;

use agents::{Allowance, Budgets, Price, Prices};
use commands::rules::Approvers;
use rust_decimal::Decimal;
use serde::Deserialize;
use toml::Table;

use super::agents::named;
use super::duration;
use super::profiles::section;
use crate::failure::{Failure, Outcome};

/// The shortest period of budgets.
const SHORTEST_PERIOD: Duration = Duration::from_secs(60);

/// Who may decide about tool calls, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Approvals {
    /// Who.
    pub(crate) by: Approvers,
    /// After that a call counts as rejected.
    pub(crate) expiry: Duration,
}

#[derive(Deserialize)]
struct WrittenPrice {
    input: String,
    output: String,
    cached: Option<String>,
    per: Option<u64>,
    currency: String,
}

/// Reads `[prices."<model>"]`.
///
/// # Errors
/// A price is none, or there are two currencies.
pub(super) fn prices(tables: &Table) -> Outcome<Prices> {
    let mut prices = Prices::default();
    for (model, table) in named(tables, "prices")? {
        let place = format!("prices.\"{model}\"");
        let written: WrittenPrice = section(&place, table, &["input", "output", "cached", "per", "currency"])?;
        let (input, output) = (amount(&place, "input", &written.input)?, amount(&place, "output", &written.output)?);
        let cached = written.cached.map_or(Ok(input), |cached| amount(&place, "cached", &cached))?;
        let per = written.per.unwrap_or(1_000_000);
        if per == 0 {
            return Err(Failure::usage(format!("{place}.per must be at least 1")));
        }
        if !prices.currency.is_empty() && prices.currency != written.currency {
            return Err(Failure::usage(format!("{place}.currency: an installation has one currency, not two")));
        }
        prices.currency = written.currency;
        prices.models.insert(model.to_owned(), Price { input, output, cached, per });
    }
    Ok(prices)
}

fn amount(place: &str, key: &str, text: &str) -> Outcome<Decimal> {
    let amount = text.parse().ok().filter(|amount: &Decimal| !amount.is_sign_negative());
    amount.ok_or_else(|| Failure::usage(format!("{place}.{key}: \"{text}\" is no amount such as \"0.15\"")))
}

#[derive(Default, Deserialize)]
struct WrittenBudgets {
    turn_steps: Option<u32>,
    turn_cost: Option<String>,
    turn_tokens: Option<u64>,
    turn_time: Option<String>,
    person_cost: Option<String>,
    person_tokens: Option<u64>,
    tenant_cost: Option<String>,
    tenant_tokens: Option<u64>,
    period: Option<String>,
}

const BUDGETS: [&str; 9] = [
    "turn_steps",
    "turn_cost",
    "turn_tokens",
    "turn_time",
    "person_cost",
    "person_tokens",
    "tenant_cost",
    "tenant_tokens",
    "period",
];

/// Reads `[budgets]`.
///
/// # Errors
/// A limit is none.
pub(super) fn budgets(tables: &Table) -> Outcome<Budgets> {
    let default = Budgets::default();
    let Some(written) = own::<WrittenBudgets>(tables, "budgets", &BUDGETS)? else { return Ok(default) };
    let cost = |key, text: Option<String>| text.map(|text| amount("budgets", key, &text)).transpose();
    let time = |key, text: Option<String>| text.map(|text| period(key, &text)).transpose();
    let length = time("budgets.period", written.period)?.unwrap_or(default.period);
    if length < SHORTEST_PERIOD {
        return Err(Failure::usage("budgets.period must be at least 1m"));
    }
    Ok(Budgets {
        turn_steps: written.turn_steps.unwrap_or(default.turn_steps),
        turn_cost: cost("turn_cost", written.turn_cost)?,
        turn_tokens: written.turn_tokens,
        turn_time: time("budgets.turn_time", written.turn_time)?,
        person: Allowance { cost: cost("person_cost", written.person_cost)?, tokens: written.person_tokens },
        tenant: Allowance { cost: cost("tenant_cost", written.tenant_cost)?, tokens: written.tenant_tokens },
        period: length,
    })
}

#[derive(Default, Deserialize)]
struct WrittenApprovals {
    by: Option<String>,
    expiry: Option<String>,
}

/// Reads `[approvals]`.
///
/// # Errors
/// Nobody is called so, or the time is none.
pub(super) fn approvals(tables: &Table) -> Outcome<Approvals> {
    let written = own::<WrittenApprovals>(tables, "approvals", &["by", "expiry"])?.unwrap_or_default();
    let by = match written.by.as_deref().unwrap_or("participants") {
        "participants" => Approvers::Participants,
        "requester" => Approvers::Requester,
        "admins" => Approvers::Admins,
        other => {
            return Err(Failure::usage(format!("approvals.by: \"{other}\" is not participants, requester or admins")));
        }
    };
    let expiry = period("approvals.expiry", written.expiry.as_deref().unwrap_or("24h"))?;
    Ok(Approvals { by, expiry })
}

fn period(place: &str, text: &str) -> Outcome<Duration> {
    duration::parse(text).map_err(|wrong| Failure::usage(format!("{place}: {wrong}")))
}

fn own<T: serde::de::DeserializeOwned>(tables: &Table, name: &str, keys: &[&'static str]) -> Outcome<Option<T>> {
    let Some(value) = tables.get(name) else { return Ok(None) };
    let table = value.as_table().ok_or_else(|| Failure::usage(format!("{name} must be a table")))?;
    section(name, table, keys).map(Some)
}
