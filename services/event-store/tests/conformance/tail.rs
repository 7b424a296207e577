use std::collections::{HashMap, HashSet};

use database::{Dialect, sql};
use event_store::{EventStore, Position, TailRow};
use events::{ConversationId, Sequence};

use crate::{Fresh, append_stream, chain, event, next, plain, stores, tail_of};

#[tokio::test]
async fn the_tail_gives_every_event_once_in_one_order_with_its_trace() {
    for fresh in stores().await {
        let mut expected = Vec::new();
        for _ in 0..3 {
            expected.extend(append_stream(&fresh.store, 2).await);
        }
        let mut traced = plain(next(ConversationId::generate(), None));
        traced.traceparent = Some("00-aa-bb-01".into());
        expected.push(traced.record.clone());
        fresh.store.append(vec![traced]).await.unwrap();

        let rows: Vec<_> = tail_of(&fresh.store, Position::default(), 7).await.into_iter().map(event).collect();
        assert_eq!(rows.iter().map(|row| row.record.clone()).collect::<Vec<_>>(), expected);
        assert!(rows.windows(2).all(|pair| pair[0].position < pair[1].position));
        assert_eq!(rows[6].traceparent.as_deref(), Some("00-aa-bb-01"));
        assert_eq!(rows[0].traceparent, None);

        let rest = fresh.store.tail(rows[3].position, 2).await.unwrap();
        assert_eq!(rest.into_iter().map(event).collect::<Vec<_>>(), rows[4..6]);
        assert_eq!(fresh.store.tail(rows[6].position, 10).await.unwrap(), []);
        assert_eq!(fresh.store.tail_end().await.unwrap(), rows[6].position);
    }
}

#[tokio::test]
async fn an_empty_store_has_an_empty_tail() {
    for fresh in stores().await {
        assert_eq!(fresh.store.tail(Position::default(), 10).await.unwrap(), []);
        assert_eq!(fresh.store.tail_end().await.unwrap(), Position::default());
        assert_eq!(fresh.store.tail_delay().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_beside_many_writers_misses_nothing_and_sees_each_stream_in_order() {
    const WRITERS: usize = 16;
    const APPENDS: usize = 25;
    for fresh in stores().await {
        let writers: Vec<_> = (0..WRITERS).map(|_| tokio::spawn(write(fresh.store.clone(), APPENDS))).collect();
        let (mut last, mut seen) = (Position::default(), HashSet::new());
        let mut reached: HashMap<ConversationId, Sequence> = HashMap::new();
        while seen.len() < WRITERS * APPENDS * 2 {
            for row in tail_of(&fresh.store, last, 1).await.into_iter().map(event) {
                assert!(row.position > last);
                last = row.position;
                let reached = reached.entry(row.record.subject).or_default();
                assert_eq!(row.record.sequence, *reached + 1);
                *reached = row.record.sequence;
                assert!(seen.insert(row.record.id));
            }
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(fresh.store.tail(last, 10).await.unwrap(), []);
    }
}

async fn write(store: EventStore, appends: usize) {
    let records = chain(ConversationId::generate(), appends * 2);
    for pair in records.chunks(2) {
        store.append(pair.iter().cloned().map(plain).collect()).await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_is_no_record_does_not_stop_the_tail() {
    for fresh in stores().await {
        append_stream(&fresh.store, 1).await;
        let stream = next(ConversationId::generate(), None).subject;
        break_row(&fresh, &stream.to_string(), "{}").await;
        let moved = next(ConversationId::generate(), None);
        break_row(&fresh, &ConversationId::generate().to_string(), &moved.metadata().to_string()).await;
        append_stream(&fresh.store, 1).await;
        let rows = tail_of(&fresh.store, Position::default(), 4).await;
        let broken: Vec<_> = rows
            .iter()
            .filter_map(|row| match row {
                TailRow::Undecodable(row) => Some((row.stream.clone(), row.sequence)),
                TailRow::Event(_) => None,
            })
            .collect();
        assert_eq!((rows.len(), broken.len()), (4, 2));
        assert_eq!(broken[0], (stream.to_string(), 1));
        assert!(fresh.store.load(stream, 0, 10).await.is_err(), "a stream with a hole cannot be decided on");
    }
}

async fn break_row(fresh: &Fresh, stream: &str, metadata: &str) {
    let json = if fresh.store.database().dialect() == Dialect::Postgres { "::jsonb" } else { "" };
    let query = format!(
        "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
         values ('conversation', $1, 1, 'x', '1', '{{}}', $2{json})"
    );
    fresh.database.database.execute(sql(query).bind(stream.to_owned()).bind(metadata.to_owned())).await.unwrap();
}
