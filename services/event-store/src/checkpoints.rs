use std::collections::HashMap;

use database::{Database, Transaction, sql};

use crate::Result;

/// How far one consumer has come, per partition. What a position means is the consumer's own business.
#[derive(Clone)]
pub struct Checkpoints {
    database: Database,
    consumer: String,
}

/// A move of the checkpoint of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The partition.
    pub partition: i32,
    /// What must still stand there; `None`: the consumer has not begun.
    pub previous: Option<String>,
    /// What stands there from now on.
    pub next: String,
}

impl Checkpoints {
    /// Those of the consumer with this name.
    #[must_use]
    pub fn new(database: Database, consumer: &str) -> Self {
        Self { database, consumer: consumer.into() }
    }

    /// Where it stands in these partitions; one where it has not begun is missing.
    ///
    /// # Errors
    /// The database.
    pub async fn load(&self, partitions: &[i32]) -> Result<HashMap<i32, String>> {
        let query = sql("select partition, position from checkpoints where consumer = $1 and partition in ")
            .bind(self.consumer.clone())
            .list(partitions.iter().copied());
        let rows: Vec<(i32, String)> = self.database.fetch_all(query).await?;
        Ok(rows.into_iter().collect())
    }

    /// Where it stands in all partitions where it has begun.
    ///
    /// # Errors
    /// The database.
    pub async fn all(&self) -> Result<HashMap<i32, String>> {
        let query = sql("select partition, position from checkpoints where consumer = $1").bind(self.consumer.clone());
        let rows: Vec<(i32, String)> = self.database.fetch_all(query).await?;
        Ok(rows.into_iter().collect())
    }

    /// Moves on within the transaction of the effects, from exactly `previous` (`None`: not begun). False: somebody else moved
    /// it, and the transaction must not be committed.
    ///
    /// # Errors
    /// The database.
    pub async fn advance(
        &self,
        tx: &mut Transaction,
        partition: i32,
        previous: Option<&str>,
        next: &str,
    ) -> Result<bool> {
        let query = match previous {
            None => sql(
                "insert into checkpoints (consumer, partition, position) values ($1, $2, $3) on conflict do nothing",
            ),
            Some(_) => {
                sql("update checkpoints set position = $3 where consumer = $1 and partition = $2 and position = $4")
            }
        };
        let query = query.bind(self.consumer.clone()).bind(partition).bind(next.to_owned());
        let query = match previous {
            None => query,
            Some(previous) => query.bind(previous.to_owned()),
        };
        Ok(tx.execute(query).await? == 1)
    }

    /// As [`advance`](Self::advance), of several partitions, each once: all of them moved, or false.
    ///
    /// # Errors
    /// The database.
    pub async fn advance_all(&self, tx: &mut Transaction, steps: &[Step]) -> Result<bool> {
        let (begun, new): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.previous.is_some());
        for step in new {
            if !self.advance(tx, step.partition, None, &step.next).await? {
                return Ok(false);
            }
        }
        if begun.is_empty() {
            return Ok(true);
        }
        let query = sql("with step (partition, previous, next) as (values ")
            .values(&begun, |row, step| row.bind(step.partition).bind(step.previous.clone()).bind(step.next.clone()));
        let consumer = 3 * begun.len() + 1;
        let query = query.push(&format!(
            ") update checkpoints set position = step.next from step where checkpoints.consumer = ${consumer}
            and checkpoints.partition = step.partition and checkpoints.position = step.previous"
        ));
        Ok(tx.execute(query.bind(self.consumer.clone())).await? == begun.len() as u64)
    }

    /// Back to before the beginning, in all partitions.
    ///
    /// # Errors
    /// The database.
    pub async fn reset(&self) -> Result<()> {
        let query = sql("delete from checkpoints where consumer = $1").bind(self.consumer.clone());
        self.database.execute(query).await?;
        Ok(())
    }
}
