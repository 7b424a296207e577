//! PostgreSQL only: rows that bring the transaction ids of another cluster with them.

use database::{Transaction, sql};
use event_store::{Checkpoints, EventStore, Position};
use events::{ConversationId, Record};
use sqlx::types::Json;

use crate::{Fresh, chain, event, plain, postgres, stores, tail_of};

/// No test server has come this far.
const FOREIGN: u64 = 1 << 60;

#[tokio::test]
async fn after_a_restore_the_tail_is_whole_and_each_consumer_goes_on_where_it_was() {
    let Some(fresh) = postgres().await else { return };
    let store = &fresh.store;
    let records = chain(ConversationId::generate(), 6);
    store.append(records[..2].iter().cloned().map(plain).collect()).await.unwrap();
    restore_rows(&fresh, &records[2..5]).await;
    let begun = event(tail_of(store, Position::default(), 2).await.remove(1)).position;
    assert_eq!(store.tail(begun, 10).await.unwrap(), [], "held back for ever");

    let in_the_middle = Position { txid: FOREIGN + 3, number: begun.number + 1 };
    let relay = Checkpoints::new(store.database().clone(), "relay");
    let on_a_log = Checkpoints::new(store.database().clone(), "projections");
    let at_the_end = Checkpoints::new(store.database().clone(), "at the end");
    let mut tx = store.database().begin().await.unwrap();
    set(&relay, &mut tx, &in_the_middle.to_string()).await;
    set(&on_a_log, &mut tx, "1234").await;
    set(&at_the_end, &mut tx, &Position { txid: FOREIGN + 5, number: begun.number + 3 }.to_string()).await;
    tx.commit().await.unwrap();

    assert!(store.repair_after_restore().await.unwrap());
    store.append(vec![plain(records[5].clone())]).await.unwrap();
    assert_eq!(rest(store, Position::default(), 6).await, records);
    assert_eq!(rest(store, checkpoint(&relay).await, 3).await, records[3..]);
    assert_eq!(rest(store, checkpoint(&at_the_end).await, 1).await, records[5..]);
    assert_eq!(on_a_log.all().await.unwrap()[&0], "1234");
    assert!(!store.repair_after_restore().await.unwrap(), "once is enough");
}

#[tokio::test]
async fn a_store_of_its_own_cluster_needs_no_repair() {
    for fresh in stores().await {
        let records = crate::append_stream(&fresh.store, 2).await;
        let before = tail_of(&fresh.store, Position::default(), 2).await;
        assert!(!fresh.store.repair_after_restore().await.unwrap());
        assert_eq!(tail_of(&fresh.store, Position::default(), 2).await, before);
        assert_eq!(records.len(), 2);
    }
}

/// Rows as a backup of a much older cluster holds them, one transaction each.
async fn restore_rows(fresh: &Fresh, records: &[Record]) {
    for record in records {
        let query = sql(
            "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
             txid) values ('conversation', $1, $2, 'dev.loquent.conversation.archived', '1', '{}', $3, $4::text::xid8)",
        )
        .bind(record.subject.to_string())
        .bind(i64::try_from(record.sequence).unwrap())
        .bind(Json(record.metadata()))
        .bind((FOREIGN + record.sequence).to_string());
        fresh.database.database.execute(query).await.unwrap();
    }
}

async fn set(checkpoints: &Checkpoints, tx: &mut Transaction, position: &str) {
    assert!(checkpoints.advance(tx, 0, None, position).await.unwrap());
}

async fn checkpoint(checkpoints: &Checkpoints) -> Position {
    checkpoints.all().await.unwrap()[&0].parse().unwrap()
}

async fn rest(store: &EventStore, after: Position, count: usize) -> Vec<Record> {
    let rows = tail_of(store, after, count).await;
    assert_eq!(store.tail(after, 100).await.unwrap().len(), count);
    rows.into_iter().map(|row| event(row).record).collect()
}
