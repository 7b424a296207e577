//! Where events are kept, and what carries them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::layers::Layers;
use crate::failure::{Failure, Outcome};

/// The event store and the read models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// One file.
    Sqlite(PathBuf),
    /// The address may hold a password.
    Postgres(String),
}

impl Store {
    /// The address that the database crate opens.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// `sqlite://<data-dir>/loquent.db` where nothing else is said.
    pub(super) fn read(layers: &Layers, data_dir: &Path) -> Outcome<Self> {
        if layers.get("store").is_none() {
            return Ok(Self::Sqlite(data_dir.join("loquent.db")));
        }
        layers.read("store", |url| match url.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url.to_owned())),
            // The address itself may hold a password.
            _ => Err("a store is sqlite://<path> or postgres://<user>@<host>/<database>".into()),
        })
    }
}

/// What carries events and chunks.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// `embedded:` or `kafka://host:port,…`.
    pub(crate) url: String,
    /// Begins the names of topics and groups.
    pub(crate) topic_prefix: String,
    /// Of topics that are made.
    pub(crate) partitions: i32,
    /// More settings of librdkafka; some hold passwords.
    pub(crate) kafka: BTreeMap<String, String>,
}

impl Log {
    /// Whether it lives in this process.
    pub(crate) fn is_embedded(&self) -> bool {
        self.url == "embedded:"
    }

    pub(super) fn read(layers: &Layers) -> Outcome<Self> {
        let url = layers.read("log", |url| {
            let brokers = url.strip_prefix("kafka://").unwrap_or_default();
            let is_broker = |broker: &str| broker.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let known = url == "embedded:" || brokers.split(',').all(is_broker);
            if known { Ok(url.to_owned()) } else { Err("a log is embedded: or kafka://host:port[,host:port]".into()) }
        })?;
        let topic_prefix = layers.read("topic_prefix", |prefix| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            let known = prefix.len() <= 200 && prefix.chars().all(fits);
            if known {
                Ok(prefix.to_owned())
            } else {
                Err("topics are named by letters, digits, '.', '_' and '-'".into())
            }
        })?;
        let partitions = layers.read("partitions", |text| {
            let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
            number.ok_or_else(|| "partitions are a number from 1 to 10000".into())
        })?;
        let kafka = librdkafka(layers.tables.get("kafka"))?;
        Ok(Self { url, topic_prefix, partitions, kafka })
    }
}

/// `"sasl.username" = "me"`; unquoted keys with dots make tables, which say the same.
fn librdkafka(section: Option<&Value>) -> Outcome<BTreeMap<String, String>> {
    let mut settings = BTreeMap::new();
    let Some(section) = section else { return Ok(settings) };
    let table = section.as_table().ok_or_else(|| Failure::usage("kafka must be a table of librdkafka's settings"))?;
    flatten("", table, &mut settings)?;
    Ok(settings)
}

fn flatten(prefix: &str, table: &Table, settings: &mut BTreeMap<String, String>) -> Outcome<()> {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        let text = match value {
            Value::Table(inner) => {
                flatten(&format!("{name}."), inner, settings)?;
                continue;
            }
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(flag) => flag.to_string(),
            _ => return Err(Failure::usage(format!("kafka.{name} must be a text, a number or a truth value"))),
        };
        settings.insert(name, text);
    }
    Ok(())
}
