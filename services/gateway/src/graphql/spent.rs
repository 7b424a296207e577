//! What model calls took: tokens and money.

use async_graphql::SimpleObject;
use events::event::Spent;

use super::scalars::int;

/// Tokens: as the provider counted them, else as we estimate them.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Of the prompt, cached ones included.
    input_tokens: i32,
    /// Of the answer, reasoning included.
    output_tokens: i32,
    /// Of the answer's, those spent on reasoning.
    reasoning_tokens: i32,
    /// Of the prompt's, those that the provider had cached.
    cached_tokens: i32,
}

impl From<events::Usage> for Usage {
    fn from(usage: events::Usage) -> Self {
        Self {
            input_tokens: int(usage.input_tokens),
            output_tokens: int(usage.output_tokens),
            reasoning_tokens: int(usage.reasoning_tokens),
            cached_tokens: int(usage.cached_tokens),
        }
    }
}

impl Usage {
    /// Of a sum: nothing is zero.
    pub(super) fn sum(spent: &Spent) -> Self {
        spent.usage.unwrap_or_default().into()
    }
}

/// Exact decimal in the one currency of the installation; estimated where a provider gave no figure; not complete where a call's
/// model has no price.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct Cost {
    /// Decimal digits with at most one point: `0.00042`.
    amount: String,
    /// ISO 4217: `USD`.
    currency: String,
    /// A provider gave no figure for one call at least.
    estimated: bool,
    /// Every call's model has a price.
    complete: bool,
}

impl Cost {
    /// Of a sum: nothing is zero, in the installation's currency.
    pub(super) fn sum(spent: &Spent, currency: &str) -> Self {
        let (amount, currency) = match &spent.cost {
            Some(cost) => (cost.amount.clone(), cost.currency.clone()),
            None => ("0".to_owned(), currency.to_owned()),
        };
        Self { amount, currency, estimated: spent.estimated, complete: !spent.unpriced }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_costs_zero_in_our_currency_and_a_call_without_a_price_is_not_complete() {
        let nothing = Cost::sum(&Spent::default(), "EUR");
        assert_eq!((nothing.amount.as_str(), nothing.currency.as_str(), nothing.complete), ("0", "EUR", true));
        let unpriced = Cost::sum(&Spent { unpriced: true, estimated: true, ..Spent::default() }, "EUR");
        assert_eq!((unpriced.complete, unpriced.estimated), (false, true));
    }
}
