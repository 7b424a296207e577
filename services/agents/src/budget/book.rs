//! What persons and tenants may take: reserved in full before a call, settled after its end.

use std::time::Duration;

use database::Database;
use events::event::{CallOutcome, Cost, ModelCallEnded, Spent};
use events::{CallId, ConversationEvent, Decoded, PersonId, Record};
use rust_decimal::Decimal;
use uuid::Uuid;

use commands::rules::{CallEnd, most_tokens};

use super::windows::{self, Amount, Balance, EVERYBODY, Window};
use super::{Allowance, Budgets, over, refused};
use crate::Result;
use crate::model::Failure;

/// Keeps what persons and tenants take. Where neither has a limit it never asks the database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Book {
    database: Database,
    person: Allowance,
    tenant: Allowance,
    period: Duration,
}

/// A call that wants to begin.
pub(crate) struct Taking<'a> {
    pub(crate) call: CallId,
    pub(crate) tenant: &'a str,
    /// Whose message or wish began the turn.
    pub(crate) person: PersonId,
    pub(crate) model: &'a str,
    pub(crate) prompt_bytes: u64,
    /// The most that it may cost.
    pub(crate) cost: Option<&'a Cost>,
    /// The call that ends as this one begins: what it has reserved and not needed is free.
    pub(crate) before: Option<&'a CallEnd>,
}

/// Somebody with a limit.
struct Holder {
    id: Uuid,
    allowance: Allowance,
    /// In words, and as the settings name their limits of money and tokens.
    names: [&'static str; 3],
}

impl Book {
    pub(crate) fn new(database: Database, budgets: &Budgets) -> Self {
        Self { database, person: budgets.person, tenant: budgets.tenant, period: budgets.period }
    }

    /// Reserves the most that a call may take for person and tenant, or says why it may not begin. Whoever gets `Ok(Ok(()))` settles
    /// the call after its end, or releases it.
    pub(crate) async fn reserve(&self, taking: &Taking<'_>) -> Result<std::result::Result<(), Failure>> {
        let most = most_of(taking);
        let (mut begun, mut fresh) = (None, Vec::new());
        for holder in self.holders(taking.person) {
            let tx = match &mut begun {
                Some(tx) => tx,
                None => begun.insert(self.database.begin().await?),
            };
            let (window, balance) = windows::open(&self.database, tx, taking.tenant, holder.id, self.period).await?;
            let free = match taking.before {
                Some(end) => {
                    let reserved = windows::reserved(tx, end.call, &window).await?;
                    reserved.less(took(end.outcome, &end.spent).unwrap_or(reserved))
                }
                None => Amount::default(),
            };
            if let Some(reason) = holder.lacks(taking, &window, balance.taken().less(free), most) {
                return Ok(Err(over(reason)));
            }
            windows::reserve(tx, taking.call, &window, balance, most).await?;
            if balance == Balance::default() {
                fresh.push(window);
            }
        }
        if let Some(tx) = begun {
            tx.commit().await?;
        }
        for window in fresh {
            if let Err(error) = windows::forget_before(&self.database, &window).await {
                tracing::warn!(%error, "budgets of the past could not be forgotten");
            }
        }
        Ok(Ok(()))
    }

    /// Settles the calls that have ended in these events. What is settled already stays as it is.
    pub(crate) async fn settle<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> Result<()> {
        if !self.is_kept() {
            return Ok(());
        }
        let ended: Vec<ModelCallEnded> = records.into_iter().filter_map(end_of_call).collect();
        if ended.is_empty() {
            return Ok(());
        }
        for call in windows::unsettled(&self.database, ended.iter().map(|end| end.call)).await? {
            let end = ended.iter().find(|end| end.call == call);
            let took = end.and_then(|end| took(end.outcome, &end.spent));
            windows::settle(&self.database, call, took).await?;
        }
        Ok(())
    }

    /// Gives back what was reserved for a call that certainly never began.
    pub(crate) async fn release(&self, call: CallId) -> Result<()> {
        if !self.is_kept() {
            return Ok(());
        }
        windows::settle(&self.database, call, Some(Amount::default())).await
    }

    fn is_kept(&self) -> bool {
        self.person.is_limit() || self.tenant.is_limit()
    }

    /// Those with a limit, the person first: the tenant's row, which all of its persons share, is locked for the shorter time.
    fn holders(&self, person: PersonId) -> impl Iterator<Item = Holder> {
        let tenant = ["tenant's budget", "tenant_cost", "tenant_tokens"];
        let own = ["budget of the person who asked", "person_cost", "person_tokens"];
        let all = [
            Holder { id: person.uuid(), allowance: self.person, names: own },
            Holder { id: EVERYBODY, allowance: self.tenant, names: tenant },
        ];
        all.into_iter().filter(|holder| holder.allowance.is_limit())
    }
}

impl Holder {
    /// Why a call does not fit, if it does not. It tells nobody what others have taken.
    fn lacks(&self, taking: &Taking<'_>, window: &Window, taken: Amount, most: Amount) -> Option<String> {
        let [who, of_cost, of_tokens] = self.names;
        let again = |fits: bool| match fits {
            true => format!("it opens again at {}", window.ends_at().format("%Y-%m-%dT%H:%M:%SZ")),
            false => "a call like this never fits into it".into(),
        };
        if let Some(limit) = self.allowance.cost {
            let Some(cost) = taking.cost else {
                refused(of_cost);
                return Some(format!("{} has no price, and the {who} has a limit of cost ({of_cost})", taking.model));
            };
            if taken.plus(most).cost > limit {
                refused(of_cost);
                return Some(format!(
                    "the {who} ({of_cost}, {limit} {currency}) has no room for another model call, which may cost {} {currency}; {}",
                    cost.amount,
                    again(most.cost <= limit),
                    currency = cost.currency,
                ));
            }
        }
        let limit = self.allowance.tokens.filter(|limit| taken.plus(most).tokens > *limit)?;
        refused(of_tokens);
        Some(format!(
            "the {who} ({of_tokens}, {limit}) has no room for another model call, which may take {} tokens; {}",
            most.tokens,
            again(most.tokens <= limit),
        ))
    }
}

fn most_of(taking: &Taking<'_>) -> Amount {
    let cost = taking.cost.map(Cost::decimal).unwrap_or_default();
    Amount { cost, tokens: most_tokens(taking.prompt_bytes) }
}

/// What a call took; `None` where nobody knows anything of it.
fn took(outcome: CallOutcome, spent: &Spent) -> Option<Amount> {
    if outcome == CallOutcome::Abandoned && spent.usage.is_none() {
        return None;
    }
    let cost = spent.cost.as_ref().map_or(Decimal::ZERO, Cost::decimal);
    Some(Amount { cost, tokens: spent.usage.map_or(0, events::Usage::total) })
}

fn end_of_call(record: &Record) -> Option<ModelCallEnded> {
    match record.event() {
        Ok(Decoded::Known(ConversationEvent::ModelCallEnded(end))) => Some(end),
        _ => None,
    }
}
