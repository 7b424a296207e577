use event_store::Snapshot;
use events::ConversationId;
use serde_json::json;

use crate::{append_stream, sequences, stores};

#[tokio::test]
async fn a_stream_is_read_in_pages_from_both_ends() {
    for fresh in stores().await {
        let stream = append_stream(&fresh.store, 10).await[0].subject;
        append_stream(&fresh.store, 2).await;
        let page = async |after, limit| sequences(&fresh.store.load(stream, after, limit).await.unwrap());
        assert_eq!(page(0, 3).await, [1, 2, 3]);
        assert_eq!(page(8, 100).await, [9, 10]);
        assert_eq!(page(10, 100).await, [] as [u64; 0]);
        assert_eq!(page(0, usize::MAX).await.len(), 10);
        let back = async |before, limit| sequences(&fresh.store.load_before(stream, before, limit).await.unwrap());
        assert_eq!(back(11, 3).await, [8, 9, 10]);
        assert_eq!(back(3, 100).await, [1, 2]);
        assert_eq!(back(u64::MAX, 1).await, [10]);
        assert_eq!(back(1, 5).await, [] as [u64; 0]);
    }
}

#[tokio::test]
async fn the_last_sequence_of_an_unknown_stream_is_zero() {
    for fresh in stores().await {
        let stream = append_stream(&fresh.store, 4).await[0].subject;
        assert_eq!(fresh.store.last_sequence(stream).await.unwrap(), 4);
        assert_eq!(fresh.store.last_sequence(ConversationId::generate()).await.unwrap(), 0);
        assert!(fresh.store.load(ConversationId::generate(), 0, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn all_streams_are_listed_page_by_page_in_the_order_of_their_ids() {
    for fresh in stores().await {
        let mut expected = Vec::new();
        for length in 1..=7 {
            let records = append_stream(&fresh.store, length).await;
            expected.push((records[0].subject, length as u64));
        }
        expected.sort_by_key(|(id, _)| id.to_string());
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = fresh.store.streams(after, 3).await.unwrap();
            let Some(&(last, _)) = page.last() else { break };
            after = Some(last);
            listed.extend(page);
        }
        assert_eq!(listed, expected);
    }
}

#[tokio::test]
async fn a_range_of_streams_is_read_stream_by_stream() {
    for fresh in stores().await {
        for _ in 0..4 {
            append_stream(&fresh.store, 3).await;
        }
        let ids: Vec<_> = fresh.store.streams(None, 10).await.unwrap().into_iter().map(|(id, _)| id).collect();
        let rows = fresh.store.load_range(ids[1], ids[2], 0, 100).await.unwrap();
        let read: Vec<_> =
            rows.into_iter().map(|row| row.map(|record| (record.subject, record.sequence)).unwrap()).collect();
        let expected: Vec<_> = [ids[1], ids[2]].into_iter().flat_map(|id| (1..=3).map(move |n| (id, n))).collect();
        assert_eq!(read, expected);
    }
}

#[tokio::test]
async fn a_snapshot_never_goes_backwards() {
    for fresh in stores().await {
        let stream = ConversationId::generate();
        assert_eq!(fresh.store.snapshot(stream).await.unwrap(), None);
        let at =
            |sequence: u64| Snapshot { sequence, hash: format!("{sequence:064}"), state: json!({ "n": sequence }) };
        for (saved, expected) in [(20, 20), (10, 20), (20, 20), (40, 40)] {
            fresh.store.save_snapshot(stream, &at(saved)).await.unwrap();
            assert_eq!(fresh.store.snapshot(stream).await.unwrap(), Some(at(expected)));
        }
    }
}

#[tokio::test]
async fn the_ends_of_many_streams_and_of_the_store_are_known() {
    for fresh in stores().await {
        let begun = chrono::Utc::now() - chrono::Duration::seconds(5);
        let (one, two) = (append_stream(&fresh.store, 3).await, append_stream(&fresh.store, 2).await);
        let (one, two) = (one[0].subject, two[0].subject);
        let mut ends = fresh.store.last_sequences(&[one, two, ConversationId::generate()]).await.unwrap();
        ends.sort_by_key(|(_, last)| *last);
        assert_eq!(ends, [(two, 2), (one, 3)]);
        assert!(fresh.store.last_sequences(&[]).await.unwrap().is_empty());
        let latest = fresh.store.latest(3).await.unwrap();
        assert!(latest.iter().all(|(_, _, recorded)| *recorded > begun));
        let places: Vec<_> = latest.into_iter().map(|(stream, sequence, _)| (stream, sequence)).collect();
        assert_eq!(places, [(two, 2), (two, 1), (one, 3)]);
    }
}
