use super::*;
use crate::DeadLetter;

fn record() -> Received {
    Received::Undecodable(DeadLetter {
        key: None,
        value: None,
        headers: Vec::new(),
        topic: "conversations".into(),
        partition: 0,
        offset: "0".into(),
        reason: "none".into(),
        consumer: "test".into(),
    })
}

fn filled(partitions: &[(i32, Option<&str>)], records: usize) -> Shared {
    let shared = Shared::default();
    shared.assign(partitions.iter().map(|(number, checkpoint)| (*number, checkpoint.map(Into::into))));
    for (number, checkpoint) in partitions {
        let from: i64 = checkpoint.map_or(0, |text| text.parse().expect("an offset"));
        for offset in from..from + i64::try_from(records).expect("few") {
            shared.push(*number, offset, 10, record());
        }
    }
    shared
}

fn take(shared: &Shared) -> Option<(Vec<i32>, usize)> {
    let batch = shared.take().expect("no failure")?;
    Some((batch.steps.iter().map(|step| step.partition).collect(), batch.records.len()))
}

#[test]
fn each_batch_begins_where_the_one_before_it_ended() {
    let shared = filled(&[(3, Some("7"))], 600);
    let step = |previous: &str, next: &str| Step { partition: 3, previous: Some(previous.into()), next: next.into() };
    for expected in [step("7", "507"), step("507", "607")] {
        let batch = shared.take().expect("no failure").expect("a batch");
        assert_eq!(batch.steps, [expected]);
    }
    assert_eq!(take(&shared), None);
}

#[test]
fn what_several_partitions_have_is_one_batch() {
    let shared = filled(&[(0, None), (1, None), (2, None)], 100);
    assert_eq!(take(&shared), Some((vec![1, 2, 0], 300)));
    assert_eq!(take(&shared), None);
}

#[test]
fn partitions_that_have_too_much_for_one_batch_take_turns() {
    let shared = filled(&[(0, None), (1, None), (2, None)], 501);
    let order: Vec<_> = std::iter::from_fn(|| take(&shared)).map(|(partitions, _)| partitions).collect();
    assert_eq!(order, [vec![1], vec![2], vec![0], vec![1, 2, 0]]);
}

#[test]
fn a_revoked_partition_gives_nothing_more() {
    let shared = filled(&[(0, None), (1, None)], 1);
    shared.revoke(&[1], Duration::ZERO);
    shared.push(1, 1, 10, record());
    assert_eq!(take(&shared), Some((vec![0], 1)));
    assert_eq!(take(&shared), None);
}

#[test]
fn a_revocation_waits_for_the_batch_in_hand() {
    let shared = filled(&[(0, None)], 1);
    assert!(take(&shared).is_some());
    std::thread::scope(|scope| {
        let revoked = scope.spawn(|| shared.revoke(&[0], Duration::from_secs(20)));
        shared.done();
        revoked.join().expect("it ends with the next call");
    });
}

#[test]
fn a_full_partition_is_paused_until_it_has_room_again() {
    let shared = filled(&[(0, None), (1, None)], FULL);
    shared.revoke(&[1], Duration::ZERO);
    assert_eq!(shared.regulate(), (vec![0], vec![]));
    assert_eq!(shared.regulate(), (vec![], vec![]));
    while take(&shared).is_some() {}
    assert_eq!(shared.regulate(), (vec![], vec![0]));
}

#[test]
fn the_group_hears_of_partitions_that_are_still_ours() {
    let shared = filled(&[(0, None), (1, None)], 1);
    let batch = shared.take().expect("no failure").expect("a batch");
    shared.committed(&batch);
    shared.revoke(&[1], Duration::ZERO);
    assert_eq!(shared.to_commit(), BTreeMap::from([(0, 1)]));
    assert_eq!(shared.to_commit(), BTreeMap::new());
}
