//! How much a turn may take. Calls and money are decided where they are noted, in the rules; what follows from the clock and from
//! tokens, here.

use std::time::Duration;

use chrono::Utc;
use rust_decimal::Decimal;

use commands::rules::Limits;
use commands::{Loaded, Turn};

use crate::model::Failure;

/// Limits of one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Model calls.
    pub turn_steps: u32,
    /// Money, in the currency of the prices; then no model is asked that has no price.
    pub turn_cost: Option<Decimal>,
    /// Tokens of prompts and answers.
    pub turn_tokens: Option<u64>,
    /// From its beginning to its last call.
    pub turn_time: Option<Duration>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { turn_steps: 25, turn_cost: None, turn_tokens: None, turn_time: None }
    }
}

impl Budgets {
    pub(crate) fn limits(&self) -> Limits {
        Limits { calls: self.turn_steps, cost: self.turn_cost }
    }
}

/// Whether the turn may ask a model once more, by the clock and by its tokens.
pub(crate) fn allows_another_call(budgets: &Budgets, loaded: &Loaded, turn: &Turn) -> Result<(), Failure> {
    let tokens = turn.spent.usage.map_or(0, events::Usage::total);
    if let Some(limit) = budgets.turn_tokens.filter(|limit| tokens >= *limit) {
        return Err(over(format!("the turn has used {tokens} of its {limit} tokens")));
    }
    let age = loaded.turn_started_at.and_then(|begun| (Utc::now() - begun).to_std().ok()).unwrap_or_default();
    if let Some(limit) = budgets.turn_time.filter(|limit| age >= *limit) {
        return Err(over(format!("the turn has taken longer than {limit:?}")));
    }
    Ok(())
}

/// The failure of an answer that a limit ends.
pub(crate) fn over(reason: String) -> Failure {
    Failure::new("budget", reason)
}
