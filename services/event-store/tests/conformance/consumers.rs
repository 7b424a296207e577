use std::collections::HashMap;

use event_store::{Checkpoints, Step};

use crate::{Fresh, stores};

#[tokio::test]
async fn a_checkpoint_moves_only_from_where_its_reader_believes_it_is() {
    for fresh in stores().await {
        let checkpoints = Checkpoints::new(fresh.database.database.clone(), "projections");
        assert!(advance(&fresh, &checkpoints, 0, None, "a").await);
        assert!(!advance(&fresh, &checkpoints, 0, None, "b").await, "it has begun already");
        assert!(!advance(&fresh, &checkpoints, 0, Some("x"), "b").await, "somebody else moved it");
        assert!(!advance(&fresh, &checkpoints, 1, Some("a"), "b").await, "it has not begun there");
        assert!(advance(&fresh, &checkpoints, 0, Some("a"), "b").await);
        assert!(advance(&fresh, &checkpoints, 7, None, "c").await);

        let all = HashMap::from([(0, "b".to_owned()), (7, "c".to_owned())]);
        assert_eq!(checkpoints.all().await.unwrap(), all);
        assert_eq!(checkpoints.load(&[7, 8]).await.unwrap(), HashMap::from([(7, "c".to_owned())]));
        assert!(checkpoints.load(&[]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_checkpoint_goes_with_its_transaction() {
    for fresh in stores().await {
        let checkpoints = Checkpoints::new(fresh.database.database.clone(), "projections");
        let mut tx = fresh.database.database.begin().await.unwrap();
        assert!(checkpoints.advance(&mut tx, 0, None, "a").await.unwrap());
        drop(tx);
        assert!(checkpoints.all().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn checkpoints_of_several_partitions_move_together_or_not_at_all() {
    let step = |partition, previous: Option<&str>, next: &str| Step {
        partition,
        previous: previous.map(Into::into),
        next: next.into(),
    };
    for fresh in stores().await {
        let checkpoints = Checkpoints::new(fresh.database.database.clone(), "projections");
        assert!(advance(&fresh, &Checkpoints::new(fresh.database.database.clone(), "agents"), 1, None, "x").await);
        let advance_all = async |steps: &[Step]| {
            let mut tx = fresh.database.database.begin().await.unwrap();
            let moved = checkpoints.advance_all(&mut tx, steps).await.unwrap();
            if moved {
                tx.commit().await.unwrap();
            }
            moved
        };
        assert!(advance_all(&[step(1, None, "a"), step(2, None, "a")]).await);
        assert!(!advance_all(&[step(1, Some("a"), "b"), step(2, Some("x"), "b")]).await, "somebody else moved one");
        assert!(!advance_all(&[step(1, Some("a"), "b"), step(2, None, "b")]).await, "one has begun already");
        assert!(advance_all(&[step(1, Some("a"), "b"), step(2, Some("a"), "c"), step(3, None, "d")]).await);
        let all = HashMap::from([(1, "b".to_owned()), (2, "c".to_owned()), (3, "d".to_owned())]);
        assert_eq!(checkpoints.all().await.unwrap(), all);
    }
}

#[tokio::test]
async fn a_reset_forgets_one_consumer_and_no_other() {
    for fresh in stores().await {
        let one = Checkpoints::new(fresh.database.database.clone(), "one");
        let two = Checkpoints::new(fresh.database.database.clone(), "two");
        assert!(advance(&fresh, &one, 0, None, "a").await && advance(&fresh, &two, 0, None, "b").await);
        one.reset().await.unwrap();
        assert!(one.all().await.unwrap().is_empty());
        assert_eq!(two.all().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn of_two_that_move_a_checkpoint_at_once_one_wins() {
    for fresh in stores().await {
        let movers: Vec<_> = ["left", "right"]
            .into_iter()
            .map(|next| {
                let database = fresh.database.database.clone();
                tokio::spawn(async move {
                    let checkpoints = Checkpoints::new(database.clone(), "projections");
                    let mut tx = database.begin().await.unwrap();
                    let moved = checkpoints.advance(&mut tx, 0, None, next).await.unwrap();
                    tx.commit().await.unwrap();
                    moved
                })
            })
            .collect();
        let mut won = 0;
        for mover in movers {
            won += usize::from(mover.await.unwrap());
        }
        assert_eq!(won, 1);
    }
}

async fn advance(fresh: &Fresh, checkpoints: &Checkpoints, partition: i32, previous: Option<&str>, next: &str) -> bool {
    let mut tx = fresh.database.database.begin().await.unwrap();
    let moved = checkpoints.advance(&mut tx, partition, previous, next).await.unwrap();
    tx.commit().await.unwrap();
    moved
}
