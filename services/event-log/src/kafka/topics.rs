//! The three topics: made where they are missing, never altered.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::RDKafkaRespErr;
use tracing::info;

use super::client::{Clients, LARGEST_RECORD, Logging, refused};
use crate::{Error, Result, TopicDescription};

/// How long the broker may take for one question.
const PATIENCE: Duration = Duration::from_secs(10);

const DAY_MS: i64 = 86_400_000;

/// A topic as it ought to be.
struct Wanted {
    name: String,
    retention_ms: i64,
    larger: bool,
}

fn wanted(clients: &Clients) -> [Wanted; 3] {
    let settings = clients.settings();
    [
        Wanted { name: settings.conversations(), retention_ms: -1, larger: false },
        Wanted { name: settings.chunks(), retention_ms: DAY_MS, larger: false },
        Wanted { name: settings.dead_letters(), retention_ms: 30 * DAY_MS, larger: true },
    ]
}

/// Creates what is missing and waits until it can be written to.
pub(super) async fn ensure(clients: &Clients) -> Result<()> {
    let admin: AdminClient<Logging> = clients.admin().create_with_context(Logging).map_err(refused)?;
    let (admin, metadata) = metadata(admin).await?;
    let missing: Vec<_> = wanted(clients).into_iter().filter(|topic| find(&metadata, &topic.name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    create(&admin, &missing, clients.settings().partitions).await?;
    await_leaders(admin, &missing).await
}

async fn create(admin: &AdminClient<Logging>, missing: &[Wanted], partitions: i32) -> Result<()> {
    let retention: Vec<_> = missing.iter().map(|topic| topic.retention_ms.to_string()).collect();
    let topics: Vec<_> = missing
        .iter()
        .zip(&retention)
        .map(|(topic, retention)| {
            // -1: as many replicas as the broker's default says.
            let new = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(-1))
                .set("cleanup.policy", "delete")
                .set("retention.ms", retention)
                .set("retention.bytes", "-1");
            // A dead letter is the record as it was and more.
            if topic.larger { new.set("max.message.bytes", LARGEST_RECORD) } else { new }
        })
        .collect();
    let results = admin.create_topics(&topics, &AdminOptions::new().request_timeout(Some(PATIENCE))).await?;
    let mut forbidden = Vec::new();
    for result in results {
        match result {
            Ok(name) => info!(topic = name, partitions, "topic created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((
                name,
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::PolicyViolation,
            )) => forbidden.push(name),
            Err((_, code)) => return Err(KafkaError::AdminOp(code).into()),
        }
    }
    if forbidden.is_empty() { Ok(()) } else { Err(Error::TopicsMissing(forbidden)) }
}

async fn await_leaders(mut admin: AdminClient<Logging>, topics: &[Wanted]) -> Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (back, metadata) = metadata(admin).await?;
        admin = back;
        if topics.iter().all(|topic| stands(&metadata, &topic.name)) {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            return Err(Error::Unavailable("the topics that were created have no leaders yet".into()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn find<'m>(metadata: &'m Metadata, name: &str) -> Option<&'m MetadataTopic> {
    let found = metadata.topics().iter().find(|topic| topic.name() == name)?;
    (found.error().is_none() && !found.partitions().is_empty()).then_some(found)
}

/// Whether all partitions of a topic can be written to.
fn stands(metadata: &Metadata, name: &str) -> bool {
    find(metadata, name).is_some_and(|topic| topic.partitions().iter().all(|partition| partition.leader() >= 0))
}

async fn metadata(admin: AdminClient<Logging>) -> Result<(AdminClient<Logging>, Metadata)> {
    let (admin, metadata) = super::blocking(move || {
        let metadata = admin.inner().fetch_metadata(None, PATIENCE);
        (admin, metadata)
    })
    .await?;
    let metadata = metadata.map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok((admin, metadata))
}

/// The topics as they are.
pub(super) async fn describe(clients: &Clients) -> Result<Vec<TopicDescription>> {
    let admin: AdminClient<Logging> = clients.admin().create_with_context(Logging).map_err(refused)?;
    let (admin, metadata) = metadata(admin).await?;
    let mut all = Vec::new();
    for Wanted { name, .. } in wanted(clients) {
        let found = find(&metadata, &name);
        let partitions = found.map_or(&[][..], MetadataTopic::partitions);
        all.push(TopicDescription {
            exists: found.is_some(),
            partitions: partitions.len(),
            replication: partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or_default(),
            retention_ms: if found.is_some() { retention(&admin, &name).await } else { None },
            name,
        });
    }
    Ok(all)
}

async fn retention(admin: &AdminClient<Logging>, topic: &str) -> Option<i64> {
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let described = admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options).await.ok()?;
    let resource = described.into_iter().next()?.ok()?;
    resource.get("retention.ms")?.value.as_ref()?.parse().ok()
}

/// How many partitions a topic has, from metadata that was asked for it.
pub(super) fn partitions(metadata: &Metadata, name: &str) -> Result<i32> {
    if let Some(topic) = find(metadata, name) {
        return i32::try_from(topic.partitions().len()).map_err(|_| unknown(name));
    }
    let forbidden = Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    if metadata.topics().iter().any(|topic| topic.name() == name && topic.error() == forbidden) {
        return Err(Error::Unavailable(format!("the topic {name} may not be read")));
    }
    Err(unknown(name))
}

fn unknown(name: &str) -> Error {
    Error::Unavailable(format!("the topic {name} is not there"))
}
