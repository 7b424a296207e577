//! Model calls: each request to a provider begins and ends here, whatever became of it, so that the bill is right.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ContextReference;
use crate::{CallId, RunId, Sealed, Usage};

/// A request is about to leave for a provider. Durable before it leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelCallStarted {
    /// The call.
    pub call: CallId,
    /// The run that asks; for a title one that stands in no plan.
    pub run: RunId,
    /// The run's attempt.
    pub epoch: u32,
    /// Which request this is of those that ask the same question, from 1: a retry or a fallback counts on.
    pub attempt: u32,
    /// `offline` or `<provider>/<model>`.
    pub model: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "CallPurpose::is_answer")]
    pub purpose: CallPurpose,
    /// What the model is asked, by reference.
    pub context: ContextReference,
    /// Bytes of all that the model is shown: what it took is estimated by them where nobody counts.
    pub prompt_bytes: u64,
    /// The most that it may cost, where the model has a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Cost>,
}

/// What a model is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallPurpose {
    /// A step of a turn.
    #[default]
    Answer,
    /// A title of the conversation; it belongs to no turn.
    Title,
}

impl CallPurpose {
    fn is_answer(&self) -> bool {
        *self == Self::Answer
    }
}

/// How a model call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The model said all that it wanted to.
    Completed,
    /// It broke off, or never began.
    Failed,
    /// A person stopped it.
    Stopped,
    /// Its worker died, and another took the run over.
    Abandoned,
}

/// A model call is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelCallEnded {
    /// The call.
    pub call: CallId,
    /// The run that asked.
    pub run: RunId,
    /// What became of it.
    pub outcome: CallOutcome,
    /// What it took.
    pub spent: Spent,
    /// The answer came from our own cache: nobody was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// What was said, where the run goes on after it: with tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
}

/// What a model said before its run went on with tools. The end of the run holds all of it once more, joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// Field `text` of the call.
    pub text: Sealed,
    /// Field `reasoning` of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Sealed>,
    /// Field `calls` of the call: what it said of tools, as it streamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Sealed>,
    /// Field `chunks` of the call: the table of all chunks that the run's attempt has produced so far.
    pub chunks: Sealed,
}

/// What model calls took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// Tokens; absent where nothing was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Money; absent where the model has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// The provider gave no figure, so tokens and cost are an estimate of ours; of several calls: of one at least.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// A call's model has no price, so the cost lacks it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpriced: bool,
}

/// An exact amount of the installation's one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Decimal digits with at most one point: `0.00042`.
    pub amount: String,
    /// ISO 4217: `USD`.
    pub currency: String,
}

impl Cost {
    /// An amount without needless zeros.
    #[must_use]
    pub fn new(amount: Decimal, currency: &str) -> Self {
        Self { amount: amount.normalize().to_string(), currency: currency.into() }
    }

    /// The amount as a number; 0 where it is none.
    #[must_use]
    pub fn decimal(&self) -> Decimal {
        self.amount.parse().unwrap_or_default()
    }
}

impl Spent {
    /// Both together. Amounts are of one currency: an installation has only one.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let usage = match (self.usage, other.usage) {
            (Some(one), Some(two)) => Some(one.plus(two)),
            (one, two) => one.or(two),
        };
        let cost = match (&self.cost, &other.cost) {
            (Some(one), Some(two)) => Some(Cost::new(one.decimal().saturating_add(two.decimal()), &one.currency)),
            (one, two) => one.clone().or_else(|| two.clone()),
        };
        Self { usage, cost, estimated: self.estimated || other.estimated, unpriced: self.unpriced || other.unpriced }
    }

    /// Whether no call was made.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(amount: &str, input_tokens: u32) -> Spent {
        let cost = Cost { amount: amount.into(), currency: "EUR".into() };
        let usage = Usage { input_tokens, ..Usage::default() };
        Spent { usage: Some(usage), cost: Some(cost), ..Spent::default() }
    }

    #[test]
    fn amounts_are_added_exactly() {
        let sum = spent("0.1", 1).plus(&spent("0.2", 2));
        assert_eq!(sum, spent("0.3", 3));
        assert_eq!(sum.plus(&Spent::default()), sum);
        let mixed = sum.plus(&Spent { estimated: true, unpriced: true, ..Spent::default() });
        assert_eq!((mixed.estimated, mixed.unpriced, mixed.cost), (true, true, sum.cost));
    }
}
