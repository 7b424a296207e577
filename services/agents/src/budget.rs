//! How much may be taken of models: by a turn, by a person, by a tenant. What a turn may take is decided where its calls are noted,
//! in the rules; what follows from the clock, here; what persons and tenants may, in the table of their windows.

mod book;
#[cfg(test)]
mod tests;
mod windows;

use std::time::Duration;

use chrono::Utc;
use rust_decimal::Decimal;

use commands::rules::{Limits, code};
use commands::{Error as CommandError, Loaded};

use crate::model::Failure;

pub(crate) use book::{Book, Taking};

/// How much may be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Model calls of a turn.
    pub turn_steps: u32,
    /// Money of a turn, in the currency of the prices; then no model is asked that has no price.
    pub turn_cost: Option<Decimal>,
    /// Tokens of a turn's prompts and answers.
    pub turn_tokens: Option<u64>,
    /// Of a turn, from its beginning to its last call; waiting for persons does not count.
    pub turn_time: Option<Duration>,
    /// Of one person in a period: all turns that they began.
    pub person: Allowance,
    /// Of a tenant in a period.
    pub tenant: Allowance,
    /// How long a period is. Periods follow one another from 1970 on, in UTC.
    pub period: Duration,
}

/// What may be taken in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Money, in the currency of the prices; then no model is asked that has no price.
    pub cost: Option<Decimal>,
    /// Tokens of prompts and answers.
    pub tokens: Option<u64>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            turn_steps: 25,
            turn_cost: None,
            turn_tokens: None,
            turn_time: None,
            person: Allowance::default(),
            tenant: Allowance::default(),
            period: Duration::from_secs(24 * 3600),
        }
    }
}

impl Allowance {
    /// Whether anything is limited.
    pub(crate) fn is_limit(&self) -> bool {
        self.cost.is_some() || self.tokens.is_some()
    }
}

impl Budgets {
    pub(crate) fn limits(&self) -> Limits {
        Limits { calls: self.turn_steps, cost: self.turn_cost, tokens: self.turn_tokens }
    }

    /// Whether what a single call takes counts, so that its answer must not be longer than was reserved for it.
    pub(crate) fn bounds_calls(&self) -> bool {
        self.turn_cost.is_some() || self.turn_tokens.is_some() || self.person.is_limit() || self.tenant.is_limit()
    }
}

/// Whether the turn may ask a model once more, by the clock.
pub(crate) fn allows_another_call(budgets: &Budgets, loaded: &Loaded) -> Result<(), Failure> {
    let (now, begun) = (Utc::now(), loaded.turn_started_at);
    let age = begun.and_then(|begun| (now - begun).to_std().ok()).unwrap_or_default();
    let worked = age.saturating_sub(loaded.turn_waits.until(now));
    if let Some(limit) = budgets.turn_time.filter(|limit| worked >= *limit) {
        refused("turn");
        return Err(over(format!("the turn has taken longer than {limit:?}")));
    }
    Ok(())
}

/// Why a limit does not let a call be made, if that is why it was refused.
pub(crate) fn over_budget(error: &CommandError) -> Option<Failure> {
    match error {
        CommandError::Rejected(rejection) if rejection.code == code::BUDGET_EXCEEDED => {
            refused("turn");
            Some(over(rejection.message.clone()))
        }
        _ => None,
    }
}

/// The failure of an answer that a limit ends.
fn over(reason: String) -> Failure {
    Failure::new("budget", reason)
}

/// Counts a call that was not made.
fn refused(budget: &'static str) {
    metrics::counter!("loquent_budget_refusals_total", "budget" => budget).increment(1);
}
