//! What both logs promise.

use event_log::{EventLog, Received};
use events::MessageId;
use serde_json::json;

use crate::fixture::{Log, Reading, Seen, logs, next, records};
use crate::stream::{Stream, TRACE};

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_sees_all_that_is_published_after_it_was_opened_and_in_order() {
    for log in logs().await {
        let mut before = Stream::new(&log.store);
        before.append_many(3).await;
        let mut reading = Reading::new(log.log.tail().await.unwrap());
        let mut streams = [Stream::new(&log.store), Stream::new(&log.store), Stream::new(&log.store)];
        for _ in 0..20 {
            for stream in &mut streams {
                stream.append_many(1).await;
            }
        }
        let ids = streams.each_ref().map(|stream| stream.id);
        let ours = |reading: &Reading| reading.events.iter().filter(|record| ids.contains(&record.subject)).count();
        reading.until(|reading| ours(reading) >= 60).await;
        let mut seen = Seen::default();
        reading.events.iter().for_each(|record| seen.add(record));
        seen.assert_whole(&ids, 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_arrives_as_it_was_appended() {
    for log in logs().await {
        let mut stream = Stream::new(&log.store);
        let mut reading = Reading::new(log.log.tail().await.unwrap());
        let first = stream.append(crate::stream::completed()).await;
        let unknown = stream.append_as("dev.loquent.moon.risen.v3", json!({ "phase": "full", "at": [1, 2] })).await;
        reading.until(|reading| reading.events.len() >= 2).await;
        assert_eq!(*reading.events[0], first);
        assert_eq!(*reading.events[1], unknown);
        assert_eq!(reading.events[1].computed_hash(), unknown.hash);
        let mut consumer = log.consumer("readers").await;
        let batch = next(&mut consumer).await;
        let Some(Received::Record { record, traceparent }) = batch.records.first() else { panic!("{batch:?}") };
        assert_eq!((&**record, traceparent.as_deref()), (&first, Some(TRACE)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_where_its_checkpoint_stands() {
    for log in logs().await {
        let mut stream = Stream::new(&log.store);
        stream.append_many(5).await;
        let mut consumer = log.consumer("projections").await;
        let mut read = 0;
        while read < 5 {
            let batch = next(&mut consumer).await;
            read += records(&batch).len();
            assert!(log.advance("projections", &batch).await);
            consumer.commit(&batch);
        }
        drop(consumer);
        stream.append_many(2).await;
        let mut consumer = log.consumer("projections").await;
        let batch = next(&mut consumer).await;
        assert_eq!(records(&batch)[0].sequence, 6);
        // What was handed out and not checkpointed is handed out again.
        drop(consumer);
        let mut again = log.consumer("projections").await;
        let repeated = next(&mut again).await;
        assert_eq!((records(&repeated)[0].sequence, &repeated.steps[0].previous), (6, &batch.steps[0].previous));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_somebody_else_moved_refuses_the_batch() {
    for log in logs().await {
        let mut stream = Stream::new(&log.store);
        stream.append_many(2).await;
        let mut consumer = log.consumer("projections").await;
        let batch = next(&mut consumer).await;
        assert!(log.advance("projections", &batch).await);
        assert!(!log.advance("projections", &batch).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chunks_of_an_open_message_can_be_read_back() {
    for log in logs().await {
        let mut stream = Stream::new(&log.store);
        let (message, other) = (MessageId::generate(), MessageId::generate());
        stream.start(message, 1).await;
        let mut reading = Reading::new(log.log.tail().await.unwrap());
        for index in 0..50 {
            log.log.publish_chunk(stream.chunk(message, 1, index, 1)).await.unwrap();
            log.log.publish_chunk(stream.chunk(other, 1, index, 1)).await.unwrap();
        }
        reading.until(|reading| reading.chunks.len() == 100).await;
        let live: Vec<_> = reading.chunks.iter().filter(|chunk| chunk.data.message == message).cloned().collect();
        let filled = log.log.chunks_of(stream.id, message, stream.began).await.unwrap();
        assert_eq!(filled, live);
        assert!(filled.iter().map(|chunk| chunk.data.index).eq(0..50));
        let twice = futures::join!(
            log.log.chunks_of(stream.id, message, stream.began),
            log.log.chunks_of(stream.id, message, stream.began)
        );
        assert_eq!((twice.0.unwrap(), twice.1.unwrap()), (live.clone(), live));
        let nothing = log.log.chunks_of(stream.id, MessageId::generate(), stream.began).await.unwrap();
        assert_eq!(nothing, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chunks_of_an_older_epoch_are_void() {
    for log in logs().await {
        let mut stream = Stream::new(&log.store);
        let message = MessageId::generate();
        stream.start(message, 1).await;
        let mut reading = Reading::new(log.log.tail().await.unwrap());
        log.log.publish_chunk(stream.chunk(message, 1, 0, 1)).await.unwrap();
        log.log.publish_chunk(stream.chunk(message, 2, 0, 1)).await.unwrap();
        log.log.publish_chunk(stream.chunk(message, 1, 1, 1)).await.unwrap();
        log.log.publish_chunk(stream.chunk(message, 2, 1, 1)).await.unwrap();
        reading
            .until(|reading| reading.chunks.iter().any(|chunk| (chunk.data.epoch, chunk.data.index) == (2, 1)))
            .await;
        let filled = log.log.chunks_of(stream.id, message, stream.began).await.unwrap();
        assert!(filled.iter().map(|chunk| (chunk.data.epoch, chunk.data.index)).eq([(2, 0), (2, 1)]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_names_the_last_event_before_it() {
    for log in logs().await {
        let mut stream = Stream::new(&log.store);
        let message = MessageId::generate();
        let mut reading = Reading::new(log.log.tail().await.unwrap());
        stream.start(message, 1).await;
        assert_eq!(log.log.publish_chunk(stream.chunk(message, 1, 0, 1)).await.unwrap(), 1);
        stream.append_many(1).await;
        reading.until(|reading| reading.events.len() == 2).await;
        let after = log.log.publish_chunk(stream.chunk(message, 1, 1, 1)).await.unwrap();
        // The producer knows of event 1 only; the embedded log has delivered event 2.
        assert_eq!(after, if log.is_kafka() { 1 } else { 2 });
        assert_eq!(log.log.publish_chunk(stream.chunk(message, 1, 2, 9)).await.unwrap(), 9);
        reading.until(|reading| reading.chunks.len() == 3).await;
        assert!(reading.chunks.iter().map(|chunk| chunk.data.after).eq([1, after, 9]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_log_forgets_the_chunks_of_an_ended_message() {
    for log in logs().await.iter().filter(|log| !log.is_kafka()) {
        let mut stream = Stream::new(&log.store);
        let message = MessageId::generate();
        let mut reading = Reading::new(log.log.tail().await.unwrap());
        stream.start(message, 1).await;
        log.log.publish_chunk(stream.chunk(message, 1, 0, 1)).await.unwrap();
        stream.fail(message).await;
        reading.until(|reading| reading.events.len() == 2).await;
        assert_eq!(log.log.chunks_of(stream.id, message, stream.began).await.unwrap(), []);
        log.log.publish_chunk(stream.chunk(message, 1, 1, 1)).await.unwrap();
        assert_eq!(log.log.chunks_of(stream.id, message, stream.began).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_does_not_stop_the_others() {
    for log in logs().await {
        let mut stream = Stream::new(&log.store);
        let mut reading = Reading::new(log.log.tail().await.unwrap());
        stream.append_many(1).await;
        stream.append_as("dev.loquent.turn.completed.v1", json!({ "turn": "a secret" })).await;
        stream.append_many(1).await;
        reading.until(|reading| reading.events.len() == 2).await;
        assert_eq!(reading.order, ["e1", "e3"]);
        let mut consumer = log.consumer("projections").await;
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let batch = next(&mut consumer).await;
            seen.extend(batch.records);
        }
        let Received::Undecodable(letter) = &seen[1] else { panic!("{seen:?}") };
        assert!(letter.reason.contains("dev.loquent.turn.completed.v1"), "{}", letter.reason);
        assert!(!letter.reason.contains("secret"), "{}", letter.reason);
        assert_eq!(letter.key.as_deref(), Some(stream.id.to_string().as_bytes()));
        log.log.dead_letter(letter.clone()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_the_store_that_is_broken_does_not_stop_the_others() {
    for log in logs().await {
        log.relay.cancel();
        let mut stream = Stream::new(&log.store);
        stream.append_many(3).await;
        let broken = "update events set metadata = '{}' where sequence = 2";
        log.database.database.execute(database::sql(broken)).await.expect("an update");
        let (settings, database) = (log.settings.clone(), log.database);
        let log = crate::fixture::open(settings, database).await;
        let mut reading = Reading::new(log.log.read(true).await.unwrap());
        reading.until(|reading| reading.events.len() == 2).await;
        assert_eq!(reading.order, ["e1", "e3"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_read_from_the_beginning_and_on() {
    for log in logs().await {
        let mut stream = Stream::new(&log.store);
        stream.append_many(1_200).await;
        let mut reading = Reading::new(log.log.read(true).await.unwrap());
        reading.until(|reading| reading.events.len() == 1_200).await;
        stream.append_many(3).await;
        reading.until(|reading| reading.events.len() == 1_203).await;
        let mut seen = Seen::default();
        reading.events.iter().for_each(|record| seen.add(record));
        seen.assert_whole(&[stream.id], 1_203);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_embedded_log_that_falls_behind_is_told_so() {
    for log in logs().await.iter().filter(|log| !log.is_kafka()) {
        let mut stream = Stream::new(&log.store);
        let message = MessageId::generate();
        stream.start(message, 1).await;
        let mut slow = log.log.tail().await.unwrap();
        for index in 0..20_000 {
            log.log.publish_chunk(stream.chunk(message, 1, index, 1)).await.unwrap();
        }
        let mut read = 0;
        let error = loop {
            match slow.next().await {
                Ok(items) => read += items.len(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, event_log::Error::Lagged), "{error}");
        assert!(read < 20_000);
        // What was missed is at hand, and what follows is delivered again.
        assert_eq!(log.log.chunks_of(stream.id, message, stream.began).await.unwrap().len(), 20_000);
        log.log.publish_chunk(stream.chunk(message, 1, 20_000, 1)).await.unwrap();
        assert_eq!(slow.next().await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_says_that_it_is_healthy() {
    for Log { log, .. } in logs().await {
        assert!(log.healthy().await);
        let topics = log.describe_topics().await.unwrap();
        assert_eq!(topics.len(), if matches!(log, EventLog::Kafka(_)) { 3 } else { 0 });
    }
}
