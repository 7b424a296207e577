//! How much a turn may take: a call that could pass a limit is not made.

use std::time::Duration;

use chrono::Utc;
use rust_decimal::Decimal;

use commands::{Loaded, Turn};
use events::event::Cost;

use crate::model::Failure;

/// Limits of one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Model calls.
    pub turn_steps: u32,
    /// Money, in the currency of the prices.
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

/// Whether the turn may ask a model once more.
pub(crate) fn allows_another_call(budgets: &Budgets, loaded: &Loaded, turn: &Turn) -> Result<(), Failure> {
    if turn.calls >= budgets.turn_steps {
        return Err(over(format!("the turn has made all of its {} model calls", budgets.turn_steps)));
    }
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

/// Whether what a call may cost at most fits beside what the turn has cost and what its open calls may.
pub(crate) fn allows(budgets: &Budgets, turn: &Turn, most: Option<&Cost>) -> Result<(), Failure> {
    let (Some(limit), Some(most)) = (budgets.turn_cost, most) else { return Ok(()) };
    let spent = turn.spent.cost.as_ref().map(Cost::decimal).unwrap_or_default();
    let open: Decimal =
        turn.open_runs().filter_map(|run| run.open_call.as_ref()?.reserved.as_ref()).map(Cost::decimal).sum();
    if spent + open + most.decimal() > limit {
        let reason = format!(
            "another model call may cost {} {}, and of the turn's {limit} {} are spent",
            most.amount,
            most.currency,
            spent + open
        );
        return Err(over(reason));
    }
    Ok(())
}

fn over(reason: String) -> Failure {
    Failure::new("budget", reason)
}
