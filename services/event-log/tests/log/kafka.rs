//! What only Kafka has: headers, partitions, groups, garbage of others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_log::{Batch, EventLog, Received, relay};
use events::{MessageId, Record};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::Offset;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Log, Reading, SOON, Seen, kafka, next, records};
use crate::stream::{Stream, TRACE};

/// Key, value and headers.
type Garbage<'a> = (Option<&'a str>, Option<&'a [u8]>, OwnedHeaders);

fn client(log: &Log) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", log.settings.url.trim_start_matches("kafka://"));
    config
}

/// The first records of a topic, as another program reads them.
fn raw(log: &Log, topic: &str, count: usize) -> Vec<OwnedMessage> {
    let name = format!("{}{topic}", log.settings.topic_prefix);
    let consumer: BaseConsumer = client(log).set("group.id", "raw").create().unwrap();
    let mut places = rdkafka::TopicPartitionList::new();
    for partition in 0..log.settings.partitions {
        places.add_partition_offset(&name, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&places).unwrap();
    let deadline = Instant::now() + SOON;
    let mut messages = Vec::new();
    while messages.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} in {topic}", messages.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            messages.push(message.unwrap().detach());
        }
    }
    messages
}

fn headers(message: &OwnedMessage) -> Vec<(String, String)> {
    let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    message.headers().unwrap().iter().map(|header| (header.key.to_owned(), text(header.value))).collect()
}

fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    headers(message).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_has_the_headers_that_are_promised() {
    let Some(log) = kafka().await else { return };
    let mut stream = Stream::new(&log.store);
    let record = stream.start(MessageId::generate(), 1).await;
    let message = raw(&log, "conversations.v1", 1).remove(0);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        pair("ce_specversion", "1.0"),
        pair("ce_id", &record.id.to_string()),
        pair("ce_source", "/loquent"),
        pair("ce_type", "dev.loquent.agent.started.v1"),
        pair("ce_time", &events::record::milliseconds::text(&record.time)),
        pair("ce_subject", &stream.id.to_string()),
        pair("ce_dataschema", "/schemas/dev.loquent.agent.started/1.json"),
        pair("ce_sequence", "00000000000000000001"),
        pair("ce_correlationid", &record.correlationid.to_string()),
        pair("ce_tenant", "default"),
        pair("ce_actor", "agent:assistant"),
        pair("ce_prevhash", Record::NO_HASH),
        pair("ce_hash", &record.hash),
        pair("content-type", "application/json"),
        pair("traceparent", TRACE),
    ];
    assert_eq!(headers(&message), expected);
    assert_eq!(message.key(), Some(stream.id.to_string().as_bytes()));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(message.payload().unwrap()).unwrap(), record.data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_has_the_headers_that_apply() {
    let Some(log) = kafka().await else { return };
    let stream = Stream::new(&log.store);
    let chunk = stream.chunk(MessageId::generate(), 1, 0, 1);
    log.log.publish_chunk(chunk.clone()).await.unwrap();
    let message = raw(&log, "chunks.v1", 1).remove(0);
    let names: Vec<_> = headers(&message).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_time",
        "ce_subject",
        "ce_dataschema",
        "ce_correlationid",
        "ce_causationid",
        "ce_tenant",
        "ce_actor",
        "content-type",
    ];
    assert_eq!(names, expected);
    assert_eq!(header(&message, "ce_type").as_deref(), Some("dev.loquent.chunk.produced.v1"));
    assert_eq!(message.key(), Some(stream.id.to_string().as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_choice_of_the_partition_is_the_client_library_s() {
    let Some(log) = kafka().await else { return };
    let streams: Vec<_> = (0..40).map(|_| (Stream::new(&log.store), MessageId::generate())).collect();
    let mut reading = Reading::new(log.log.tail().await.unwrap());
    for (stream, message) in &streams {
        log.log.publish_chunk(stream.chunk(*message, 1, 0, 1)).await.unwrap();
    }
    reading.until(|reading| reading.chunks.len() == streams.len()).await;
    // A fill reads the one partition that our own hash names.
    let fills = streams.iter().map(|(stream, message)| log.log.chunks_of(stream.id, *message, stream.began));
    for filled in futures::future::join_all(fills).await {
        assert_eq!(filled.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_of_others_is_put_aside_and_passed_over() {
    let Some(log) = kafka().await else { return };
    let mut stream = Stream::new(&log.store);
    let mut reading = Reading::new(log.log.tail().await.unwrap());
    stream.append_many(1).await;
    reading.until(|reading| reading.events.len() == 1).await;
    let good = raw(&log, "conversations.v1", 1).remove(0);
    let key = stream.id.to_string();
    let topic = format!("{}conversations.v1", log.settings.topic_prefix);
    let producer: BaseProducer = client(&log).create().unwrap();
    let without = |name: &str| {
        let keep = headers(&good).into_iter().filter(|(key, _)| key != name);
        keep.fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key: &key, value: Some(&value) }))
    };
    let all = || without("");
    let bad: [Garbage; 10] = [
        (None, Some(b"garbage"), OwnedHeaders::new()),
        (Some(&key), None, all()),
        (Some(&key), Some(b""), all()),
        (Some(&key), Some(b"{\"turn\":"), all()),
        (Some(&key), Some(b"{\"turn\": 1}"), all()),
        (Some("another"), good.payload(), all()),
        (Some(&key), good.payload(), without("ce_id")),
        (Some(&key), good.payload(), without("ce_sequence").insert(Header { key: "ce_sequence", value: Some("x") })),
        (Some(&key), good.payload(), without("ce_tenant").insert(Header { key: "ce_tenant", value: Some(b"\xff") })),
        (Some(&key), good.payload(), without("ce_hash").insert(Header { key: "ce_hash", value: None::<&str> })),
    ];
    let count = bad.len();
    for (key, value, headers) in bad {
        let mut record = BaseRecord::<str, [u8]>::to(&topic).headers(headers);
        record.key = key;
        record.payload = value;
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(SOON).unwrap();
    stream.append_many(1).await;
    reading.until(|reading| reading.events.len() == 2).await;
    let mut consumer = log.consumer("projections").await;
    let (mut read, mut letters) = (0, Vec::new());
    while read < count + 2 {
        let batch = next(&mut consumer).await;
        read += batch.records.len();
        for received in batch.records {
            if let Received::Undecodable(letter) = received {
                log.log.dead_letter(letter.clone()).await.unwrap();
                letters.push(letter);
            }
        }
    }
    assert_eq!(letters.len(), count);
    assert_dead_letters(&log, &topic, count);
}

fn assert_dead_letters(log: &Log, topic: &str, count: usize) {
    for dead in raw(log, "dead-letters.v1", count) {
        assert_eq!(header(&dead, "dlq_topic").as_deref(), Some(topic));
        assert_eq!(header(&dead, "dlq_consumer").as_deref(), Some("projections"));
        for name in ["dlq_partition", "dlq_offset", "dlq_reason", "dlq_time"] {
            assert!(header(&dead, name).is_some_and(|value| !value.is_empty()), "{name}");
        }
        if header(&dead, "dlq_reason").is_some_and(|reason| reason.contains("ce_type")) {
            assert_eq!(dead.payload(), Some(&b"garbage"[..]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_share_the_partitions_and_one_takes_over_from_the_other() {
    let Some(log) = kafka().await else { return };
    let log = Arc::new(log);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let read_by: Arc<Mutex<HashMap<usize, usize>>> = Arc::default();
    let members: Vec<_> =
        (0..2).map(|member| tokio::spawn(process(member, log.clone(), seen.clone(), read_by.clone()))).collect();
    let mut streams: Vec<_> = (0..12).map(|_| Stream::new(&log.store)).collect();
    let ids: Vec<_> = streams.iter().map(|stream| stream.id).collect();
    let grow = async |streams: &mut Vec<Stream>| {
        for stream in streams.iter_mut() {
            stream.append_many(1).await;
        }
    };
    let deadline = Instant::now() + SOON;
    while read_by.lock().await.len() < 2 {
        assert!(Instant::now() < deadline, "one member reads everything");
        grow(&mut streams).await;
    }
    // Not a farewell: the task is gone in the middle of whatever it does.
    members[0].abort();
    for _ in 0..5 {
        grow(&mut streams).await;
    }
    let last = streams[0].sequence();
    while seen.lock().await.total() < ids.len() * usize::try_from(last).unwrap() {
        assert!(Instant::now() < deadline + SOON, "{} records", seen.lock().await.total());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    seen.lock().await.assert_whole(&ids, last);
    members[1].abort();
}

/// A processor: makes a new consumer when the checkpoint is not where it was.
async fn process(member: usize, log: Arc<Log>, seen: Arc<Mutex<Seen>>, read_by: Arc<Mutex<HashMap<usize, usize>>>) {
    loop {
        let mut consumer = log.consumer("projections").await;
        while let Ok(batch) = consumer.next().await {
            let effects = effects(member, log.clone(), seen.clone(), read_by.clone(), batch.clone());
            // A task of its own: rows and checkpoint are one transaction, which no kill can part.
            if !tokio::spawn(effects).await.unwrap() {
                break;
            }
            consumer.commit(&batch);
        }
    }
}

async fn effects(
    member: usize,
    log: Arc<Log>,
    seen: Arc<Mutex<Seen>>,
    read_by: Arc<Mutex<HashMap<usize, usize>>>,
    batch: Batch,
) -> bool {
    let mut seen = seen.lock().await;
    let moved = log.advance("projections", &batch).await;
    if moved {
        records(&batch).iter().for_each(|record| seen.add(record));
        *read_by.lock().await.entry(member).or_default() += batch.records.len();
    }
    moved
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_relay_takes_over_and_nothing_is_missing() {
    let Some(log) = kafka().await else { return };
    let mut reading = Reading::new(log.log.tail().await.unwrap());
    let mut stream = Stream::new(&log.store);
    stream.append_many(50).await;
    reading.until(|reading| reading.events.len() >= 50).await;
    let standby = CancellationToken::new();
    let _guard = standby.clone().drop_guard();
    tokio::spawn(relay::run(log.store.clone(), log.log.clone(), "standby".into(), standby));
    log.relay.cancel();
    let began = Instant::now();
    stream.append_many(50).await;
    reading.until(|reading| reading.events.iter().any(|record| record.sequence == 100)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    let mut seen = Seen::default();
    reading.events.iter().for_each(|record| seen.add(record));
    seen.assert_whole(&[stream.id], 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_and_left_alone() {
    let Some(log) = kafka().await else { return };
    let settings = event_log::Settings { partitions: 7, ..log.settings.clone() };
    let other = EventLog::connect(settings, log.store.clone()).await.unwrap();
    other.ensure_topics().await.unwrap();
    let topics = other.describe_topics().await.unwrap();
    assert!(topics.iter().all(|topic| topic.exists && topic.partitions == 4 && topic.replication == 1));
    let retention: Vec<_> = topics.iter().map(|topic| topic.retention_ms).collect();
    assert_eq!(retention, [Some(-1), Some(86_400_000), Some(2_592_000_000)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_not_known_is_refused_without_its_value() {
    let Some(log) = kafka().await else { return };
    let kafka = [("sasl.pasword".to_owned(), "hunter2".to_owned())].into();
    let settings = event_log::Settings { kafka, ..log.settings.clone() };
    let Err(error) = EventLog::connect(settings, log.store.clone()).await else { panic!("it was accepted") };
    assert_eq!(error.kind(), events::Kind::Invalid);
    let text = error.to_string();
    assert!(text.contains("sasl.pasword") && !text.contains("hunter2"), "{text}");
}
