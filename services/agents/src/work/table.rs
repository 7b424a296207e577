use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use database::{Database, Dialect, Sql, Transaction, sql};
use events::ids::Id;

use super::{Key, Task, Work};
use crate::Result;

/// Rows of one insert; each binds eight values.
const ROWS: usize = 500;

/// A run, or a turn that is its conversation's first and has no run beside it. What a worker has itself it never takes again:
/// after an outage its renewal may come later than its next look.
const MAY_BEGIN: &str = "(worker is null or worker <> $1) and (kind = 'run' or not exists (
    select 1 from work other where other.conversation = free.conversation
    and (other.kind = 'run' or other.sequence < free.sequence)))";

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
    /// How often it was taken, this time included.
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

impl WorkTable {
    pub(crate) fn new(database: Database, worker: &str, lease: Duration) -> Self {
        Self { database, worker: worker.into(), lease }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Adds work; what is there already stays as it is.
    pub(crate) async fn add(&self, tx: &mut Transaction, work: &[Work]) -> Result<()> {
        for rows in work.chunks(ROWS) {
            let insert = sql("insert into work (conversation, kind, subject, sequence, cause, correlation, traceparent, tenant) values ")
                .values(rows, bind)
                .push(" on conflict do nothing");
            tx.execute(insert).await?;
        }
        Ok(())
    }

    /// Removes work, whoever has it.
    pub(crate) async fn remove(&self, tx: &mut Transaction, keys: &[Key]) -> Result<()> {
        for rows in keys.chunks(ROWS) {
            // The subject alone is unique: an id of a message or of a run.
            let subjects = rows.iter().map(|(_, task)| task.subject());
            let conversations = rows.iter().map(|(conversation, _)| conversation.uuid());
            let delete = sql("delete from work where conversation in ").list(conversations);
            tx.execute(delete.push(" and subject in ").list(subjects)).await?;
        }
        Ok(())
    }

    /// Takes what is free and may begin.
    pub(crate) async fn take(&self, limit: usize) -> Result<Vec<Lease>> {
        let clock = self.database.clock();
        let lock = match self.database.dialect() {
            Dialect::Postgres => "for update of free skip locked",
            Dialect::Sqlite => "",
        };
        let take = format!(
            "with taken as (
                select conversation, kind, subject from work free
                where expires_at <= {clock} and not_before <= {clock} and {MAY_BEGIN}
                order by cause limit $2 {lock})
            update work set worker = $1, expires_at = {clock} + $3, attempts = attempts + 1
            from taken where work.conversation = taken.conversation and work.kind = taken.kind and work.subject = taken.subject
            returning work.conversation, work.kind, work.subject, sequence, cause, correlation, traceparent, tenant, attempts"
        );
        let mut tx = self.database.begin().await?;
        let take = sql(take).bind(self.worker.clone()).bind(limit as i64).bind(self.lease_ms());
        let rows: Vec<Row> = tx.fetch_all(take).await?;
        tx.commit().await?;
        Ok(rows.into_iter().filter_map(Row::lease).collect())
    }

    /// Whether anything might be free: a cheap look, so that an idle worker never asks for SQLite's one writing connection.
    pub(crate) async fn has_free(&self) -> Result<bool> {
        let clock = self.database.clock();
        let look = sql(format!(
            "select conversation, kind, subject from work free
            where expires_at <= {clock} and not_before <= {clock} and {MAY_BEGIN} limit 1"
        ));
        Ok(self.database.fetch_optional::<KeyRow>(look.bind(self.worker.clone())).await?.is_some())
    }

    /// Goes from a turn that began to its first run, which this worker keeps; `false`: the run has already been taken or ended.
    pub(crate) async fn go_on(&self, turn: Key, run: &Work) -> Result<bool> {
        let clock = self.database.clock();
        let mut tx = self.database.begin().await?;
        self.remove(&mut tx, &[turn]).await?;
        let insert = sql(
            "insert into work (conversation, kind, subject, sequence, cause, correlation, traceparent, tenant, worker, expires_at, attempts) values (",
        );
        let insert = bind(insert, run).push(&format!(
            "$1, $2, $3, $4, $5, $6, $7, $8, $9, {clock} + $10, 1) on conflict (conversation, kind, subject) do update
            set worker = excluded.worker, expires_at = excluded.expires_at, attempts = work.attempts + 1
            where work.worker is null"
        ));
        let kept = tx.execute(insert.bind(self.worker.clone()).bind(self.lease_ms())).await?;
        tx.commit().await?;
        Ok(kept == 1)
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

    /// It is done: whoever has it by now has nothing left to do.
    pub(crate) async fn finish(&self, key: Key) -> Result<()> {
        let mut tx = self.database.begin().await?;
        self.remove(&mut tx, &[key]).await?;
        Ok(tx.commit().await?)
    }

    /// Gives one piece back, to be taken again after a pause, if this worker still has it.
    pub(crate) async fn give_back(&self, (conversation, task): Key, pause: Duration) -> Result<()> {
        let clock = self.database.clock();
        let give = format!(
            "update work set worker = null, expires_at = 0, not_before = {clock} + $1
            where conversation = $2 and kind = $3 and subject = $4 and worker = $5"
        );
        let give = sql(give).bind(pause.as_millis() as i64).bind(conversation.uuid());
        let give = give.bind(task.kind().to_owned()).bind(task.subject()).bind(self.worker.clone());
        self.database.execute(give).await?;
        Ok(())
    }

    /// Gives everything back that this worker has.
    pub(crate) async fn give_all_back(&self) -> Result<u64> {
        let give = sql("update work set worker = null, expires_at = 0 where worker = $1");
        Ok(self.database.execute(give.bind(self.worker.clone())).await?)
    }

    /// Ends all leases, of all workers: for the one process that knows that there is no other.
    pub(crate) async fn free_all(&self) -> Result<u64> {
        Ok(self.database.execute(sql("update work set worker = null, expires_at = 0, not_before = 0")).await?)
    }

    fn lease_ms(&self) -> i64 {
        self.lease.as_millis() as i64
    }
}

fn bind(row: Sql, work: &Work) -> Sql {
    row.bind(work.conversation.uuid())
        .bind(work.task.kind().to_owned())
        .bind(work.task.subject())
        .bind(work.sequence as i64)
        .bind(work.cause.uuid())
        .bind(work.correlation.uuid())
        .bind(work.traceparent.clone())
        .bind(work.tenant.clone())
}

fn key(conversation: Uuid, kind: &str, subject: Uuid) -> Option<Key> {
    let task = match kind {
        "turn" => Task::Turn(Id::from_uuid(subject)),
        "run" => Task::Run(Id::from_uuid(subject)),
        _ => return None,
    };
    Some((Id::from_uuid(conversation), task))
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
