//! Transactions whose futures are dropped in mid-way.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use database::sql;
use database::testing::databases;

/// Runs a future until it was woken so many times, then drops it.
async fn dropped_after<T>(wakes: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut polls) = (pin!(future), 0);
    poll_fn(|context| {
        polls += 1;
        if polls > wakes { Poll::Ready(None) } else { future.as_mut().poll(context).map(Some) }
    })
    .await
}

/// A client that hangs up drops its request's future wherever that is; the next one must still be able to write.
#[tokio::test]
async fn a_transaction_dropped_at_any_moment_leaves_the_store_writable() {
    for test in databases().await {
        let database = &test.database;
        database.execute(sql("create table t (a integer)")).await.unwrap();
        for wakes in (0..12).cycle().take(240) {
            let whole = async {
                let mut tx = database.begin().await?;
                tx.execute(sql("insert into t values (1)")).await?;
                tx.commit().await
            };
            if let Some(result) = dropped_after(wakes, whole).await {
                result.unwrap();
            }
        }
        let mut tx = database.begin().await.unwrap();
        tx.execute(sql("insert into t values (2)")).await.unwrap();
        tx.commit().await.unwrap();
    }
}
