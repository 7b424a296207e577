use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Error, Result};

/// Where the log is and how to reach it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `embedded:` or `kafka://host:port[,host:port]`.
    pub url: String,
    /// Put before the names of topics and groups.
    pub topic_prefix: String,
    /// Of topics that are created here.
    pub partitions: i32,
    /// More settings of librdkafka; those that the promises of this crate rest on cannot be changed.
    pub kafka: BTreeMap<String, String>,
    /// What the broker shows of us.
    pub client_id: String,
    /// A consumer that is silent for so long loses its partitions to the others of its group.
    pub group_session_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "embedded:".into(),
            topic_prefix: "loquent.".into(),
            partitions: 12,
            kafka: BTreeMap::new(),
            client_id: "loquent".into(),
            group_session_timeout: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// The brokers as librdkafka wants them; `None` for the embedded log.
    pub(crate) fn brokers(&self) -> Result<Option<String>> {
        if matches!(self.url.as_str(), "embedded:" | "embedded") {
            return Ok(None);
        }
        let brokers = self.url.strip_prefix("kafka://").map(|rest| rest.trim_end_matches('/'));
        match brokers {
            Some(brokers) if !brokers.is_empty() => Ok(Some(brokers.into())),
            _ => Err(Error::Settings("the log's address must be embedded: or kafka://host:port[,host:port]".into())),
        }
    }

    pub(crate) fn conversations(&self) -> String {
        format!("{}conversations.v1", self.topic_prefix)
    }

    pub(crate) fn chunks(&self) -> String {
        format!("{}chunks.v1", self.topic_prefix)
    }

    pub(crate) fn dead_letters(&self) -> String {
        format!("{}dead-letters.v1", self.topic_prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_the_embedded_log_or_brokers() {
        let brokers = |url: &str| Settings { url: url.into(), ..Settings::default() }.brokers();
        assert_eq!(brokers("embedded:").unwrap(), None);
        assert_eq!(brokers("kafka://a:9092,b:9092/").unwrap().as_deref(), Some("a:9092,b:9092"));
        assert!(brokers("kafka://").is_err());
        assert!(brokers("nats://a:4222").is_err());
    }
}
