use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use database::{Database, Dialect, Sql, Transaction, sql};
use events::Sequence;
use events::ids::Id;

use super::{Key, Kind, Work, key, subject};
use crate::Result;

/// Rows of one insert; each binds eight values.
const ROWS: usize = 500;
const COLUMNS: &str = "conversation, kind, subject, sequence, cause, correlation, traceparent, tenant";
/// Work that is there already is called for anew by a later event.
const CALLED_ANEW: &str = " on conflict (conversation, kind, subject) do update set sequence = excluded.sequence,
    cause = excluded.cause, correlation = excluded.correlation, traceparent = excluded.traceparent, not_before = 0, attempts = 0
    where excluded.sequence > work.sequence";

/// The table, as one worker sees it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct WorkTable {
    database: Database,
    worker: String,
    lease: Duration,
}

/// Work that this worker has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) work: Work,
    /// How often it was taken without being settled, this time included.
    pub(crate) attempts: u32,
}

#[derive(sqlx::FromRow)]
struct Row {
    conversation: Uuid,
    kind: String,
    subject: Uuid,
    sequence: i64,
    cause: Uuid,
    correlation: Uuid,
    traceparent: Option<String>,
    tenant: String,
    attempts: i32,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    conversation: Uuid,
    kind: String,
    subject: Uuid,
}

#[derive(sqlx::FromRow)]
struct KindRow {
    kind: String,
}

#[derive(sqlx::FromRow)]
struct WaitingRow {
    kind: String,
    waiting: i64,
}

impl WorkTable {
    pub(crate) fn new(database: Database, worker: &str, lease: Duration) -> Self {
        Self { database, worker: worker.into(), lease }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Adds work, each key once; what is there already is looked at once more if its event is a later one.
    pub(crate) async fn add(&self, tx: &mut Transaction, work: &[Work]) -> Result<()> {
        for rows in work.chunks(ROWS) {
            let insert = sql(format!("insert into work ({COLUMNS}) values ")).values(rows, bind).push(CALLED_ANEW);
            tx.execute(insert).await?;
        }
        Ok(())
    }

    /// The kinds, of these, of which there might be something free: a cheap look, so that an idle worker never asks for SQLite's
    /// one writing connection.
    pub(crate) async fn free_kinds(&self, kinds: &[Kind]) -> Result<Vec<Kind>> {
        if kinds.is_empty() {
            return Ok(Vec::new());
        }
        let look = format!("select distinct kind from work free where {} and kind in ", self.is_free());
        let look = sql(look).bind(self.worker.clone()).list(kinds.iter().map(|kind| kind.name().to_owned()));
        let rows: Vec<KindRow> = self.database.fetch_all(look).await?;
        Ok(kinds.iter().copied().filter(|kind| rows.iter().any(|row| row.kind == kind.name())).collect())
    }

    /// How many rows of each kind could be taken now; kinds without any are missing.
    pub(crate) async fn waiting(&self) -> Result<Vec<(String, i64)>> {
        let clock = self.database.clock();
        let count = format!(
            "select kind, count(*) as waiting from work where expires_at <= {clock} and not_before <= {clock} group by kind"
        );
        let rows: Vec<WaitingRow> = self.database.fetch_all(sql(count)).await?;
        Ok(rows.into_iter().map(|row| (row.kind, row.waiting)).collect())
    }

    /// Takes what is free of a kind: of the tenant that has the least in hand first, and of each the oldest first.
    pub(crate) async fn take(&self, kind: Kind, limit: usize) -> Result<Vec<Lease>> {
        let (clock, free) = (self.database.clock(), self.is_free());
        let lock = match self.database.dialect() {
            Dialect::Postgres => "for update of free skip locked",
            Dialect::Sqlite => "",
        };
        let take = format!(
            "with busy as (
                select tenant, count(*) as running from work where kind = $2 and expires_at > {clock} group by tenant),
            line as (
                select conversation, subject, coalesce(busy.running, 0)
                    + row_number() over (partition by free.tenant order by free.cause) as place
                from work free left join busy on busy.tenant = free.tenant where kind = $2 and {free}),
            taken as (
                select free.conversation, free.subject from work free
                join line on line.conversation = free.conversation and line.subject = free.subject
                where free.kind = $2 and {free} order by line.place, free.cause limit $3 {lock})
            update work set worker = $1, expires_at = {clock} + $4, attempts = attempts + 1
            from taken where work.conversation = taken.conversation and work.kind = $2 and work.subject = taken.subject
            returning work.conversation, work.kind, work.subject, sequence, cause, correlation, traceparent, tenant, attempts"
        );
        let take = sql(take).bind(self.worker.clone()).bind(kind.name().to_owned());
        let mut tx = self.database.begin().await?;
        let rows: Vec<Row> = tx.fetch_all(take.bind(limit as i64).bind(self.lease_ms())).await?;
        tx.commit().await?;
        Ok(rows.into_iter().filter_map(Row::lease).collect())
    }

    /// What a worker has itself it never takes again: after an outage its renewal may come later than its next look. The worker is
    /// the statement's first parameter.
    fn is_free(&self) -> String {
        let clock = self.database.clock();
        format!(
            "free.expires_at <= {clock} and free.not_before <= {clock} and (free.worker is null or free.worker <> $1)"
        )
    }

    /// Settles work and adds what follows from it, at once. Of that, what is `mine` stays with this worker, unless it was there
    /// already; answered is what does.
    pub(crate) async fn go_on(&self, done: Option<&Work>, next: &[Work], mine: &[Work]) -> Result<Vec<Lease>> {
        if done.is_none() && next.is_empty() && mine.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.database.begin().await?;
        if let Some(done) = done {
            self.settle(&mut tx, done).await?;
        }
        self.add(&mut tx, next).await?;
        let clock = self.database.clock();
        let mut kept = Vec::new();
        for work in mine {
            let insert =
                bind(sql(format!("insert into work ({COLUMNS}, worker, expires_at, attempts) values (")), work);
            let insert = insert.push(&format!(
                "$1, $2, $3, $4, $5, $6, $7, $8, $9, {clock} + $10, 1) on conflict (conversation, kind, subject) do nothing"
            ));
            if tx.execute(insert.bind(self.worker.clone()).bind(self.lease_ms())).await? == 1 {
                kept.push(Lease { work: work.clone(), attempts: 1 });
            } else {
                self.add(&mut tx, std::slice::from_ref(work)).await?;
            }
        }
        tx.commit().await?;
        Ok(kept)
    }

    /// It is done. What was called for anew since it was taken is free to be taken again; what another worker has stays theirs.
    pub(crate) async fn finish(&self, work: &Work) -> Result<()> {
        let mut tx = self.database.begin().await?;
        self.settle(&mut tx, work).await?;
        Ok(tx.commit().await?)
    }

    async fn settle(&self, tx: &mut Transaction, work: &Work) -> Result<()> {
        let delete = sql("delete from work where conversation in ").list([work.conversation.uuid()]);
        let delete = delete.push(" and kind in ").list([work.task.kind().name().to_owned()]);
        let delete = delete.push(" and subject in ").list([subject(work.key())]);
        let delete = delete.push(" and sequence <= ").list([work.sequence as i64]);
        let done = tx.execute(delete.push(" and worker in ").list([self.worker.clone()])).await?;
        if done == 0 {
            tx.execute(self.give(work.key(), Duration::ZERO)).await?;
        }
        Ok(())
    }

    /// Renews everything that this worker has, in one statement, and answers what that is. What is missing was lost.
    pub(crate) async fn renew(&self) -> Result<HashSet<Key>> {
        let clock = self.database.clock();
        let renew = sql(format!(
            "update work set expires_at = {clock} + $1 where worker = $2 and expires_at > 0 returning conversation, kind, subject"
        ));
        let mut tx = self.database.begin().await?;
        let rows: Vec<KeyRow> = tx.fetch_all(renew.bind(self.lease_ms()).bind(self.worker.clone())).await?;
        tx.commit().await?;
        Ok(rows.into_iter().filter_map(|row| key(row.conversation, &row.kind, row.subject)).collect())
    }

    /// Gives one piece back, to be taken again after a pause, if this worker still has it. What was called for anew since
    /// `seen` waits for nothing.
    pub(crate) async fn give_back(&self, key: Key, seen: Sequence, pause: Duration) -> Result<()> {
        let given = self.database.execute(self.give(key, pause).push(" and sequence <= ").list([seen as i64])).await?;
        if given == 0 {
            self.database.execute(self.give(key, Duration::ZERO)).await?;
        }
        Ok(())
    }

    fn give(&self, key: Key, pause: Duration) -> Sql {
        let clock = self.database.clock();
        let give = format!(
            "update work set worker = null, expires_at = 0, not_before = {clock} + $1
            where conversation = $2 and kind = $3 and subject = $4 and worker = $5"
        );
        let give = sql(give).bind(pause.as_millis() as i64).bind(key.0.uuid());
        give.bind(key.1.kind().name().to_owned()).bind(subject(key)).bind(self.worker.clone())
    }

    /// Gives everything back that this worker has.
    pub(crate) async fn give_all_back(&self) -> Result<u64> {
        let give = sql("update work set worker = null, expires_at = 0 where worker = $1");
        Ok(self.database.execute(give.bind(self.worker.clone())).await?)
    }

    /// Ends all leases, of all workers: for the one process that knows that there is no other.
    pub(crate) async fn free_all(&self) -> Result<u64> {
        Ok(self.database.execute(sql("update work set worker = null, expires_at = 0")).await?)
    }

    fn lease_ms(&self) -> i64 {
        self.lease.as_millis() as i64
    }
}

fn bind(row: Sql, work: &Work) -> Sql {
    row.bind(work.conversation.uuid())
        .bind(work.task.kind().name().to_owned())
        .bind(subject(work.key()))
        .bind(work.sequence as i64)
        .bind(work.cause.uuid())
        .bind(work.correlation.uuid())
        .bind(work.traceparent.clone())
        .bind(work.tenant.clone())
}

impl Row {
    fn lease(self) -> Option<Lease> {
        let (conversation, task) = key(self.conversation, &self.kind, self.subject)?;
        let work = Work {
            conversation,
            task,
            sequence: self.sequence as u64,
            cause: Id::from_uuid(self.cause),
            correlation: Id::from_uuid(self.correlation),
            traceparent: self.traceparent,
            tenant: self.tenant,
        };
        Some(Lease { work, attempts: self.attempts as u32 })
    }
}
