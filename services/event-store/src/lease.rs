use std::time::Duration;

use database::{Database, Transaction, sql};

use crate::Result;
use crate::load::big;

/// The right to do a named work alone, for a while. Time is the database's, so the clocks of the processes don't matter.
///
/// Every time the lease is taken its epoch grows by one. A holder that was stopped past the expiry has lost it, whether or not
/// somebody else took it: [`Lease::renew`] and [`Lease::hold_in`] say so.
pub struct Lease {
    database: Database,
    name: String,
    holder: String,
    ttl: Duration,
    epoch: Option<i64>,
}

impl Lease {
    /// Not taken yet. `holder` names this process, for people.
    #[must_use]
    pub fn new(database: Database, name: &str, holder: &str, ttl: Duration) -> Self {
        Self { database, name: name.into(), holder: holder.into(), ttl, epoch: None }
    }

    /// Takes it if nobody holds it, and answers the new epoch.
    ///
    /// # Errors
    /// The database.
    pub async fn acquire(&mut self) -> Result<Option<i64>> {
        let clock = self.database.clock();
        // Those who wait ask often: a look costs no write.
        let look = sql(format!("select 1 from leases where name = $1 and expires_at > {clock} and epoch <> $2"))
            .bind(self.name.clone())
            .bind(self.epoch.unwrap_or_default());
        if self.database.fetch_optional::<(i32,)>(look).await?.is_some() {
            self.epoch = None;
            return Ok(None);
        }
        let take = sql(format!(
            "insert into leases (name, holder, epoch, expires_at) values ($1, $2, 1, {clock} + $3) on conflict (name) do update \
             set holder = excluded.holder, epoch = leases.epoch + 1, expires_at = excluded.expires_at \
             where leases.expires_at <= {clock} or leases.epoch = $4 returning epoch"
        ))
        .bind(self.name.clone())
        .bind(self.holder.clone())
        .bind(self.ttl())
        .bind(self.epoch.unwrap_or_default());
        let mut tx = self.database.begin().await?;
        let taken: Option<(i64,)> = tx.fetch_optional(take).await?;
        tx.commit().await?;
        self.epoch = taken.map(|(epoch,)| epoch);
        Ok(self.epoch)
    }

    /// Puts the expiry off. False: it is lost, and so is every right to go on.
    ///
    /// # Errors
    /// The database; the lease may or may not have been renewed.
    pub async fn renew(&mut self) -> Result<bool> {
        let Some(epoch) = self.epoch else { return Ok(false) };
        let clock = self.database.clock();
        let query = sql(format!(
            "update leases set expires_at = {clock} + $3 where name = $1 and epoch = $2 and expires_at > {clock}"
        ))
        .bind(self.name.clone())
        .bind(epoch)
        .bind(self.ttl());
        let held = self.database.execute(query).await? == 1;
        if !held {
            self.epoch = None;
        }
        Ok(held)
    }

    /// Gives it back, so that another need not wait for the expiry. The epoch stays for the next one to count on.
    ///
    /// # Errors
    /// The database; the lease then expires by itself.
    pub async fn release(&mut self) -> Result<()> {
        let Some(epoch) = self.epoch.take() else { return Ok(()) };
        let query = sql("update leases set expires_at = 0 where name = $1 and epoch = $2");
        self.database.execute(query.bind(self.name.clone()).bind(epoch)).await?;
        Ok(())
    }

    /// Whether it is held, within a transaction: while that is open nobody else can take it.
    ///
    /// # Errors
    /// The database.
    pub async fn hold_in(&self, tx: &mut Transaction) -> Result<bool> {
        let Some(epoch) = self.epoch else { return Ok(false) };
        let clock = self.database.clock();
        // An update that changes nothing locks the row on both engines.
        let query =
            sql(format!("update leases set epoch = epoch where name = $1 and epoch = $2 and expires_at > {clock}"))
                .bind(self.name.clone())
                .bind(epoch);
        Ok(tx.execute(query).await? == 1)
    }

    fn ttl(&self) -> i64 {
        big(self.ttl.as_millis().try_into().unwrap_or(u64::MAX))
    }
}
