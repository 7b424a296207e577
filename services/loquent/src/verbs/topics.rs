//! `loquent topics`.

use event_log::TopicDescription;

use super::print;
use crate::cli::{Output, TopicsVerb};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::node::Node;

/// Makes the log's topics, or shows them.
///
/// # Errors
/// The broker does not answer, or does not let us.
pub(crate) async fn run(config: &Config, verb: &TopicsVerb) -> Outcome<()> {
    if config.log.is_embedded() {
        return Err(Failure::usage("the embedded log has no topics; set --log kafka://…"));
    }
    config.check_form()?;
    let node = Node::open(config).await?;
    match verb {
        TopicsVerb::Ensure => {
            node.log.ensure_topics().await?;
            show(&node.log.describe_topics().await?, Output::Text)
        }
        TopicsVerb::Describe(arguments) => show(&node.log.describe_topics().await?, arguments.output),
    }
}

fn show(topics: &[TopicDescription], output: Output) -> Outcome<()> {
    if output == Output::Json {
        return print(serde_json::to_string_pretty(topics)?);
    }
    for topic in topics {
        let retention = match topic.retention_ms {
            Some(-1) => "for ever".into(),
            Some(milliseconds) => format!("{} h", milliseconds / 3_600_000),
            None => "unknown".into(),
        };
        let TopicDescription { name, partitions, replication, .. } = topic;
        match topic.exists {
            true => print(format_args!("{name}: {partitions} partitions, {replication} replicas, kept {retention}"))?,
            false => print(format_args!("{name}: missing"))?,
        }
    }
    Ok(())
}
