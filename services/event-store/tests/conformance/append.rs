use std::collections::HashSet;

use event_store::{Error, EventStore};
use events::{ConversationId, Kind, Record};
use tokio::task::JoinSet;

use crate::{append_stream, chain, keyed, next, plain, sequences, stores};

#[tokio::test]
async fn what_was_appended_is_loaded_as_it_was() {
    for fresh in stores().await {
        let stream = ConversationId::generate();
        let records = chain(stream, 3);
        let mut events: Vec<_> = records.iter().cloned().map(plain).collect();
        events[2].traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
        fresh.store.append(events).await.unwrap();
        let loaded = fresh.store.load(stream, 0, 100).await.unwrap();
        assert_eq!(loaded, records);
        let mut before = None;
        for record in &loaded {
            record.verify(before).unwrap();
            before = Some(record);
        }
    }
}

#[tokio::test]
async fn an_append_of_nothing_changes_nothing() {
    for fresh in stores().await {
        fresh.store.append(Vec::new()).await.unwrap();
        assert!(fresh.store.streams(None, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_taken_sequence_is_a_conflict_and_nothing_of_the_append_stays() {
    for fresh in stores().await {
        let records = append_stream(&fresh.store, 2).await;
        let stream = records[0].subject;
        let other = chain(stream, 4);
        let refused = fresh.store.append(other[1..].iter().cloned().map(plain).collect()).await;
        assert_eq!(refused.unwrap_err().kind(), Kind::Conflict);
        assert_eq!(fresh.store.load(stream, 0, 10).await.unwrap(), records);
    }
}

#[tokio::test]
async fn a_used_idempotency_key_is_a_conflict_also_in_another_stream() {
    for fresh in stores().await {
        let first = chain(ConversationId::generate(), 2);
        let events = vec![plain(first[0].clone()), keyed(first[1].clone(), "key", "print")];
        fresh.store.append(events).await.unwrap();
        let elsewhere = next(ConversationId::generate(), None);
        let refused = fresh.store.append(vec![keyed(elsewhere.clone(), "key", "other")]).await;
        assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
        assert_eq!(fresh.store.last_sequence(elsewhere.subject).await.unwrap(), 0);

        let found = fresh.store.find_idempotent("key").await.unwrap();
        assert_eq!(found, Some((first[1].clone(), "print".into())));
        assert_eq!(fresh.store.find_idempotent("unknown").await.unwrap(), None);
        fresh.store.append(vec![keyed(elsewhere, "other key", "other")]).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_one_piece_of_one_stream_is_refused() {
    for fresh in stores().await {
        let one = chain(ConversationId::generate(), 3);
        let two = chain(ConversationId::generate(), 2);
        for events in [vec![&one[0], &one[2]], vec![&one[1], &one[0]], vec![&one[0], &two[1]]] {
            let refused = fresh.store.append(events.into_iter().cloned().map(plain).collect()).await;
            assert!(matches!(refused, Err(Error::NotContiguous)), "{refused:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_on_one_stream_make_one_unbroken_chain() {
    const EACH: usize = 2;
    for fresh in stores().await {
        let stream = ConversationId::generate();
        let writers: Vec<_> = (0..64)
            .map(|_| {
                let store = fresh.store.clone();
                tokio::spawn(async move {
                    for _ in 0..EACH {
                        insist(&store, stream).await;
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let records = fresh.store.load(stream, 0, 1000).await.unwrap();
        assert_eq!(sequences(&records), (1..=64 * EACH as u64).collect::<Vec<_>>());
        let mut before: Option<&Record> = None;
        for record in &records {
            record.verify(before).unwrap();
            before = Some(record);
        }
        assert_eq!(records.iter().map(|record| record.id).collect::<HashSet<_>>().len(), records.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_appends_at_once_each_succeeds_or_fails_alone() {
    for fresh in stores().await {
        let taken = append_stream(&fresh.store, 1).await;
        fresh.store.append(vec![keyed(next(ConversationId::generate(), None), "used", "first")]).await.unwrap();
        let mut appends = JoinSet::new();
        for number in 0..200 {
            let store = fresh.store.clone();
            let stream = if number % 10 == 0 { taken[0].subject } else { ConversationId::generate() };
            let records = chain(stream, 2);
            let mut events: Vec<_> = records.iter().cloned().map(plain).collect();
            if number % 10 == 5 {
                events[1] = keyed(records[1].clone(), "used", "again");
            }
            appends.spawn(async move { (number, records, store.append(events).await) });
        }
        while let Some(done) = appends.join_next().await {
            let (number, records, outcome) = done.unwrap();
            let stored = fresh.store.load(records[0].subject, 0, 10).await.unwrap();
            match number % 10 {
                0 => assert!(matches!(outcome, Err(Error::Conflict)) && stored == taken, "{outcome:?}"),
                5 => assert!(matches!(outcome, Err(Error::Conflict)) && stored.is_empty(), "{outcome:?}"),
                _ => assert!(outcome.is_ok() && stored == records, "{outcome:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_cannot_hold_fails_alone() {
    for fresh in stores().await {
        let mut appends = JoinSet::new();
        for number in 0..100 {
            let store = fresh.store.clone();
            let record = next(ConversationId::generate(), None);
            let mut event = plain(record.clone());
            // A type that is no text for PostgreSQL; SQLite takes it.
            event.record.kind = if number % 10 == 0 { "dev.loquent.a\0b.1".into() } else { event.record.kind };
            appends.spawn(async move { (number, record, store.append(vec![event]).await) });
        }
        while let Some(done) = appends.join_next().await {
            let (number, record, outcome) = done.unwrap();
            if number % 10 != 0 {
                outcome.unwrap();
                assert_eq!(fresh.store.load(record.subject, 0, 10).await.unwrap(), [record]);
            }
        }
    }
}

/// Loads, decides, appends, and begins again after a conflict.
async fn insist(store: &EventStore, stream: ConversationId) {
    loop {
        let last = store.load_before(stream, u64::MAX, 1).await.unwrap();
        match store.append(vec![plain(next(stream, last.last()))]).await {
            Ok(()) => return,
            Err(Error::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn an_append_wakes_who_waits_in_this_process() {
    for fresh in stores().await {
        let mut appended = fresh.store.appended();
        append_stream(&fresh.store.clone(), 1).await;
        assert!(appended.has_changed().unwrap());
        appended.mark_unchanged();
        assert!(fresh.store.append(Vec::new()).await.is_ok());
        assert!(!appended.has_changed().unwrap());
    }
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_unavailable() {
    for fresh in stores().await {
        fresh.store.database().close().await;
        let record = next(ConversationId::generate(), None);
        let stream = record.subject;
        assert_eq!(fresh.store.append(vec![plain(record)]).await.unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(fresh.store.load(stream, 0, 1).await.unwrap_err().kind(), Kind::Unavailable);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_is_given_up_leaves_nothing_half_done() {
    for fresh in stores().await {
        let mut given_up = Vec::new();
        for round in 0..300_u64 {
            let records = chain(ConversationId::generate(), 3);
            let store = fresh.store.clone();
            let events = records.iter().cloned().map(plain).collect();
            let appending = tokio::spawn(async move { store.append(events).await });
            // From "not begun" to "long done".
            tokio::time::sleep(std::time::Duration::from_micros(round * 10)).await;
            appending.abort();
            given_up.push(records);
        }
        append_stream(&fresh.store, 1).await;
        for records in given_up {
            let stored = fresh.store.load(records[0].subject, 0, 10).await.unwrap();
            assert!(stored.is_empty() || stored == records, "all or nothing");
        }
    }
}
