//! What model calls take: tokens as the provider counted them, else an estimate that says so; and what they cost, exactly.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use commands::rules::{BYTES_PER_TOKEN, LONGEST_ANSWER};
use events::Usage;
use events::event::{Cost, Spent};

use crate::prompt::{Line, Prompt};

/// Prices of models, in the one currency of the installation.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    /// ISO 4217; empty where there is no price.
    pub currency: String,
    /// By the model's full name.
    pub models: BTreeMap<String, Price>,
}

/// What a model costs, for so many tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Tokens of the prompt that the provider had not cached.
    pub input: Decimal,
    /// Tokens of the answer, reasoning included.
    pub output: Decimal,
    /// Tokens of the prompt that the provider had cached.
    pub cached: Decimal,
    /// For so many tokens.
    pub per: u64,
}

/// Counts and prices model calls. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Money(std::sync::Arc<Prices>);

impl Price {
    fn of(&self, usage: Usage) -> Decimal {
        let tokens = |number: u32| Decimal::from(number);
        let fresh = usage.input_tokens.saturating_sub(usage.cached_tokens);
        let sum = tokens(fresh) * self.input
            + tokens(usage.cached_tokens) * self.cached
            + tokens(usage.output_tokens) * self.output;
        sum / Decimal::from(self.per.max(1))
    }
}

impl Money {
    pub(crate) fn new(prices: Prices) -> Self {
        Self(std::sync::Arc::new(prices))
    }

    /// What a call took, by the provider's figure or, where there is none, by the texts.
    pub(crate) fn spent(&self, model: &str, counted: Option<Usage>, asked: usize, said: usize) -> Spent {
        let usage = counted.unwrap_or_else(|| estimate(asked, said));
        let free = model == "offline";
        let cost = self.cost(model, usage);
        Spent { usage: Some(usage), estimated: counted.is_none(), unpriced: cost.is_none() && !free, cost }
    }

    /// A call that was never made.
    pub(crate) fn nothing(&self) -> Spent {
        Spent::default()
    }

    /// The most that a call may cost: all of the prompt uncached, and the longest answer.
    pub(crate) fn most(&self, model: &str, asked: usize) -> Option<Cost> {
        self.cost(model, Usage { output_tokens: LONGEST_ANSWER, ..estimate(asked, 0) })
    }

    fn cost(&self, model: &str, usage: Usage) -> Option<Cost> {
        let price = self.0.models.get(model)?;
        Some(Cost::new(price.of(usage), &self.0.currency))
    }
}

/// Tokens of so many bytes.
fn estimate(asked: usize, said: usize) -> Usage {
    let tokens = |bytes: usize| u32::try_from((bytes as u64).div_ceil(BYTES_PER_TOKEN)).unwrap_or(u32::MAX);
    Usage { input_tokens: tokens(asked), output_tokens: tokens(said), ..Usage::default() }
}

/// Bytes of all that a model is shown.
pub(crate) fn bytes(prompt: &Prompt) -> usize {
    let offers =
        prompt.tools.iter().map(|tool| tool.name.len() + tool.description.len() + tool.parameters.to_string().len());
    let schema = prompt.response_schema.as_ref().map_or(0, |schema| schema.to_string().len());
    prompt.lines.iter().map(Line::bytes).sum::<usize>() + offers.sum::<usize>() + schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money() -> Money {
        let decimal = |text: &str| text.parse().expect("a decimal");
        let price = Price { input: decimal("0.15"), output: decimal("0.60"), cached: decimal("0.075"), per: 1_000_000 };
        Money::new(Prices { currency: "USD".into(), models: BTreeMap::from([("openai/small".into(), price)]) })
    }

    #[test]
    fn a_call_costs_what_its_tokens_cost_to_the_last_digit() {
        let usage = Usage { input_tokens: 1_000, output_tokens: 3, reasoning_tokens: 1, cached_tokens: 400 };
        let spent = money().spent("openai/small", Some(usage), 9, 9);
        // 600 * 0.15 + 400 * 0.075 + 3 * 0.60 = 121.8, for a million.
        assert_eq!(spent.cost, Some(Cost { amount: "0.0001218".into(), currency: "USD".into() }));
        assert!(!spent.estimated && !spent.unpriced);
    }

    #[test]
    fn what_nobody_counted_is_an_estimate_that_says_so() {
        let spent = money().spent("openai/small", None, 4_000, 5);
        assert!(spent.estimated);
        assert_eq!(spent.usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((1_000, 2)));
    }

    #[test]
    fn a_model_without_a_price_leaves_the_sum_open_and_the_offline_one_is_free() {
        let spent = money().spent("openai/large", Some(Usage::default()), 1, 1);
        assert!(spent.unpriced && spent.cost.is_none());
        assert!(!money().spent("offline", Some(Usage::default()), 1, 1).unpriced);
    }
}
