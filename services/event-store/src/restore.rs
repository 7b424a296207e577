use database::{Dialect, Transaction, sql};

use crate::{EventStore, Position, Result};

impl EventStore {
    /// Makes the tail whole again after a backup was restored into a younger cluster, and answers whether that was needed.
    ///
    /// Such rows carry transaction ids that this cluster has not come to: the tail would hold them back, and what is appended
    /// now would come before them. They get txid 0, and with them all older rows, so that the order of each stream stays; a
    /// checkpoint then stands before the first row that it had not passed. Consumers may see some rows a second time.
    ///
    /// # Errors
    /// The database; nothing is changed then.
    pub async fn repair_after_restore(&self) -> Result<bool> {
        if self.database().dialect() == Dialect::Sqlite {
            return Ok(false);
        }
        let mut tx = self.database().begin().await?;
        // Every row may have to be written: that takes as long as it takes.
        tx.fetch_all::<(String,)>(sql("select set_config('statement_timeout', '0', true)")).await?;
        // No committed row of this cluster's own can have such an id.
        let foreign = sql("select 1 from events where txid >= pg_snapshot_xmax(pg_current_snapshot()) limit 1");
        if tx.fetch_optional::<(i32,)>(foreign).await?.is_none() {
            return Ok(false);
        }
        tx.execute(sql("lock table events in share row exclusive mode")).await?;
        move_checkpoints(&mut tx).await?;
        let rows =
            tx.execute(sql("update events set txid = cast('0' as xid8) where txid <> cast('0' as xid8)")).await?;
        tx.commit().await?;
        tracing::warn!(rows, "transaction ids of another cluster were replaced");
        Ok(true)
    }
}

/// Every checkpoint that is a position in this tail: to just before the first row behind it, by the new order.
async fn move_checkpoints(tx: &mut Transaction) -> Result<()> {
    let rows: Vec<(String, i32, String)> =
        tx.fetch_all(sql("select consumer, partition, position from checkpoints")).await?;
    for (consumer, partition, text) in rows {
        // Offsets of a log are not positions.
        let Ok(Position { txid, number }) = text.parse() else { continue };
        let behind = sql(
            "select coalesce((select min(position) from events where (txid, position) > ($1::text::xid8, $2)) - 1, \
             (select max(position) from events))",
        )
        .bind(txid.to_string())
        .bind(crate::load::big(number));
        let moved: Option<(Option<i64>,)> = tx.fetch_optional(behind).await?;
        let number =
            moved.and_then(|(number,)| number).and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
        let update = sql("update checkpoints set position = $3 where consumer = $1 and partition = $2")
            .bind(consumer)
            .bind(partition)
            .bind(Position { txid: 0, number }.to_string());
        tx.execute(update).await?;
    }
    Ok(())
}
