use std::time::{Duration, Instant};

use database::Database;
use event_store::Lease;

use crate::stores;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

fn lease(database: &Database, holder: &str, ttl: Duration) -> Lease {
    Lease::new(database.clone(), "relay", holder, ttl)
}

async fn holds(database: &Database, lease: &Lease) -> bool {
    let mut tx = database.begin().await.unwrap();
    let held = lease.hold_in(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    held
}

/// As soon as it is free.
async fn take(lease: &mut Lease) -> i64 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(epoch) = lease.acquire().await.unwrap() {
            return epoch;
        }
        assert!(Instant::now() < deadline, "never free");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_holds_a_lease_and_the_others_wait() {
    for fresh in stores().await {
        let database = &fresh.database.database;
        let (mut one, mut two) = (lease(database, "one", LONG), lease(database, "two", LONG));
        assert_eq!(one.acquire().await.unwrap(), Some(1));
        assert_eq!(two.acquire().await.unwrap(), None);
        assert!(one.renew().await.unwrap() && holds(database, &one).await);
        assert!(!two.renew().await.unwrap() && !holds(database, &two).await);
        let mut other = Lease::new(database.clone(), "another work", "two", LONG);
        assert_eq!(other.acquire().await.unwrap(), Some(1));

        one.release().await.unwrap();
        assert!(!holds(database, &one).await);
        assert_eq!(two.acquire().await.unwrap(), Some(2), "the epoch goes on");
        assert_eq!(one.acquire().await.unwrap(), None);
        assert_eq!(two.acquire().await.unwrap(), Some(3), "its holder may take it anew");
    }
}

#[tokio::test]
async fn a_holder_that_was_stopped_finds_that_it_has_lost_the_lease() {
    for fresh in stores().await {
        let database = &fresh.database.database;
        let (mut stopped, mut next) = (lease(database, "stopped", SHORT), lease(database, "next", LONG));
        let first = take(&mut stopped).await;
        let second = take(&mut next).await;
        assert_eq!(second, first + 1);
        assert!(!holds(database, &stopped).await);
        assert!(!stopped.renew().await.unwrap());
        stopped.release().await.unwrap();
        assert!(holds(database, &next).await, "who has lost it cannot give it back");
        assert_eq!(stopped.acquire().await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_expired_lease_is_lost_though_nobody_took_it() {
    for fresh in stores().await {
        let database = &fresh.database.database;
        let mut lease = lease(database, "one", SHORT);
        let first = take(&mut lease).await;
        let deadline = Instant::now() + Duration::from_secs(10);
        while holds(database, &lease).await {
            assert!(Instant::now() < deadline, "it never expires");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!lease.renew().await.unwrap());
        assert_eq!(take(&mut lease).await, first + 1);
    }
}

#[tokio::test]
async fn nobody_takes_a_lease_while_its_holder_writes() {
    for fresh in stores().await {
        let database = &fresh.database.database;
        let (mut one, mut two) = (lease(database, "one", SHORT), lease(database, "two", LONG));
        take(&mut one).await;
        let mut tx = database.begin().await.unwrap();
        assert!(one.hold_in(&mut tx).await.unwrap());
        let taking = tokio::spawn(async move { take(&mut two).await });
        tokio::time::sleep(SHORT * 3).await;
        assert!(!taking.is_finished());
        tx.commit().await.unwrap();
        assert_eq!(taking.await.unwrap(), 2);
        assert!(!one.renew().await.unwrap());
    }
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_gets_the_lease() {
    for fresh in stores().await {
        let asking: Vec<_> = (0..16)
            .map(|number| {
                let mut lease = lease(&fresh.database.database, &number.to_string(), LONG);
                tokio::spawn(async move { lease.acquire().await.unwrap() })
            })
            .collect();
        let mut epochs = Vec::new();
        for one in asking {
            epochs.extend(one.await.unwrap());
        }
        assert_eq!(epochs, [1]);
    }
}
