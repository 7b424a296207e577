//! An event of a slow transaction is late, and never skipped.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};
use tests::client::is_turn_end;
use tests::history::History;
use tests::sandbox::{Form, Sandbox, services};

#[tokio::test]
async fn a_transaction_that_is_held_open_delays_and_skips_nothing() {
    if !Form::at_hand().contains(&Form::Scaled) {
        return;
    }
    let cluster = Sandbox::new(Form::Scaled).await.with("LOQUENT_OFFLINE_PACE", "1ms").cluster().await;
    let alice = cluster.client("alice", 0);
    let (server, _) = services().expect("services");
    // One in the same database, one in another of the same server.
    for url in [cluster.sandbox.store(), &server] {
        let mut slow = PgConnection::connect(url).await.expect("a connection");
        slow.execute("begin; create temporary table slow (n int)").await.expect("an open transaction");
        let conversation = alice.start_conversation(None).await;
        for number in 0..3 {
            alice.send(Some(&conversation), &format!("message {number}")).await;
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        slow.execute("commit").await.expect("commit");
        let mut updates = cluster.client("alice", 1).updates(&conversation, Some("0")).await;
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.extend(updates.until(is_turn_end).await);
        }
        History(&seen).check();
        assert_eq!(History(&seen).count("MessageCompleted"), 3);
    }
}
