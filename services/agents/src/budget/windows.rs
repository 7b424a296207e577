//! The table of what persons and tenants take. A window's row is locked while it is read and changed, so two calls never both take
//! what is left; a person's row comes before the tenant's, always, so nobody waits in a circle.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use database::{Database, Sql, Transaction, sql};
use events::CallId;

use crate::Result;

/// Stands for the tenant as a whole.
pub(super) const EVERYBODY: Uuid = Uuid::nil();
const KEY: &str = "tenant, person, period, starts_at";

/// Money and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) cost: Decimal,
    pub(crate) tokens: u64,
}

/// Whose window, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    tenant: String,
    person: Uuid,
    period: i64,
    starts_at: i64,
}

/// What stands in a window's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) spent: Amount,
    pub(super) reserved: Amount,
}

#[derive(sqlx::FromRow)]
struct BalanceRow {
    starts_at: i64,
    spent_cost: String,
    spent_tokens: i64,
    reserved_cost: String,
    reserved_tokens: i64,
}

#[derive(sqlx::FromRow)]
struct ReservationRow {
    tenant: String,
    person: Uuid,
    period: i64,
    starts_at: i64,
    cost: String,
    tokens: i64,
}

impl Amount {
    pub(super) fn plus(self, other: Self) -> Self {
        let (cost, tokens) = (self.cost.saturating_add(other.cost), self.tokens.saturating_add(other.tokens));
        Self { cost, tokens }
    }

    /// What is left; never less than nothing.
    pub(super) fn less(self, other: Self) -> Self {
        let cost = self.cost.saturating_sub(other.cost).max(Decimal::ZERO);
        Self { cost, tokens: self.tokens.saturating_sub(other.tokens) }
    }

    fn read(cost: &str, tokens: i64) -> Self {
        Self { cost: cost.parse().unwrap_or_default(), tokens: u64::try_from(tokens).unwrap_or_default() }
    }

    /// Binds both columns.
    fn bind(self, row: Sql) -> Sql {
        row.bind(self.cost.normalize().to_string()).bind(i64::try_from(self.tokens).unwrap_or(i64::MAX))
    }
}

impl Balance {
    pub(super) fn taken(&self) -> Amount {
        self.spent.plus(self.reserved)
    }
}

impl Window {
    /// When the next one begins.
    pub(super) fn ends_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.starts_at.saturating_add(self.period)).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn bind(&self, row: Sql) -> Sql {
        row.bind(self.tenant.clone()).bind(self.person).bind(self.period).bind(self.starts_at)
    }
}

/// Opens the window that is now, locked until the transaction ends.
pub(super) async fn open(
    database: &Database,
    tx: &mut Transaction,
    tenant: &str,
    person: Uuid,
    period: Duration,
) -> Result<(Window, Balance)> {
    let clock = database.clock();
    let period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
    let open = sql(format!(
        "insert into budget_windows ({KEY}) values ($1, $2, $3, {clock} / $3 * $3)
        on conflict ({KEY}) do update set tenant = excluded.tenant
        returning starts_at, spent_cost, spent_tokens, reserved_cost, reserved_tokens"
    ));
    let open = open.bind(tenant.to_owned()).bind(person).bind(period);
    let row: Option<BalanceRow> = tx.fetch_optional(open).await?;
    let row = row.ok_or(database::Error::Sql(sqlx::Error::RowNotFound))?;
    let window = Window { tenant: tenant.into(), person, period, starts_at: row.starts_at };
    Ok((window, row.balance()))
}

/// Forgets the windows that ended before this one began, and what was never settled in them. In transactions of its own: those who
/// settle lock the same rows in another order.
pub(super) async fn forget_before(database: &Database, window: &Window) -> Result<()> {
    for table in ["budget_reservations", "budget_windows"] {
        let old = format!(
            "delete from {table} where tenant = $1 and person = $2 and (period <> $3 or starts_at < $4)
            and starts_at + period <= $4"
        );
        database.execute(window.bind(sql(old))).await?;
    }
    Ok(())
}

/// Notes what a call takes of an open window.
pub(super) async fn reserve(
    tx: &mut Transaction,
    call: CallId,
    window: &Window,
    balance: Balance,
    most: Amount,
) -> Result<()> {
    let note =
        sql(format!("insert into budget_reservations (call, {KEY}, cost, tokens) values ($1, $2, $3, $4, $5, $6, $7)"));
    tx.execute(most.bind(window.bind(note.bind(call.uuid())))).await?;
    write(tx, window, Balance { reserved: balance.reserved.plus(most), ..balance }).await
}

/// What a call has reserved in an open window; nothing where that was in another one.
pub(super) async fn reserved(tx: &mut Transaction, call: CallId, window: &Window) -> Result<Amount> {
    let look = sql(format!("select {KEY}, cost, tokens from budget_reservations where call = $1 and person = $2"));
    let row: Option<ReservationRow> = tx.fetch_optional(look.bind(call.uuid()).bind(window.person)).await?;
    let own = row.map(ReservationRow::read).filter(|(of, _)| of == window);
    Ok(own.map(|(_, amount)| amount).unwrap_or_default())
}

/// Of these calls, those that have something reserved. It only reads.
pub(super) async fn unsettled(database: &Database, calls: impl IntoIterator<Item = CallId>) -> Result<Vec<CallId>> {
    let look = sql("select distinct call from budget_reservations where call in ");
    let rows: Vec<(Uuid,)> = database.fetch_all(look.list(calls.into_iter().map(|call| call.uuid()))).await?;
    Ok(rows.into_iter().map(|(call,)| CallId::from_uuid(call)).collect())
}

/// Puts what a call took in the place of what it had reserved, once: a second time there is nothing reserved. Without a figure it
/// took all of it.
pub(super) async fn settle(database: &Database, call: CallId, took: Option<Amount>) -> Result<()> {
    let mut tx = database.begin().await?;
    let take = sql(format!("delete from budget_reservations where call = $1 returning {KEY}, cost, tokens"));
    let rows: Vec<ReservationRow> = tx.fetch_all(take.bind(call.uuid())).await?;
    let mut reserved: Vec<(Window, Amount)> = rows.into_iter().map(ReservationRow::read).collect();
    reserved.sort_by_key(|(window, _)| window.person == EVERYBODY);
    for (window, most) in reserved {
        let Some(balance) = lock(&mut tx, &window).await? else { continue };
        let spent = balance.spent.plus(took.unwrap_or(most));
        write(&mut tx, &window, Balance { spent, reserved: balance.reserved.less(most) }).await?;
    }
    Ok(tx.commit().await?)
}

/// The row of a window that is still there, locked until the transaction ends.
async fn lock(tx: &mut Transaction, window: &Window) -> Result<Option<Balance>> {
    let lock = sql(
        "update budget_windows set tenant = tenant where tenant = $1 and person = $2 and period = $3 and starts_at = $4
        returning starts_at, spent_cost, spent_tokens, reserved_cost, reserved_tokens",
    );
    let row: Option<BalanceRow> = tx.fetch_optional(window.bind(lock)).await?;
    Ok(row.map(|row| row.balance()))
}

async fn write(tx: &mut Transaction, window: &Window, balance: Balance) -> Result<()> {
    let write =
        sql("update budget_windows set spent_cost = $5, spent_tokens = $6, reserved_cost = $7, reserved_tokens = $8
        where tenant = $1 and person = $2 and period = $3 and starts_at = $4");
    tx.execute(balance.reserved.bind(balance.spent.bind(window.bind(write)))).await?;
    Ok(())
}

impl BalanceRow {
    fn balance(&self) -> Balance {
        let spent = Amount::read(&self.spent_cost, self.spent_tokens);
        Balance { spent, reserved: Amount::read(&self.reserved_cost, self.reserved_tokens) }
    }
}

impl ReservationRow {
    fn read(self) -> (Window, Amount) {
        let Self { tenant, person, period, starts_at, cost, tokens } = self;
        (Window { tenant, person, period, starts_at }, Amount::read(&cost, tokens))
    }
}
