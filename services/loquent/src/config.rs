//! The settings: read once, checked once, one struct per concern.

pub(crate) mod agents;
pub(crate) mod backends;
pub(crate) mod duration;
pub(crate) mod known;
pub(crate) mod layers;
mod money;
mod profiles;
pub(crate) mod roles;
pub(crate) mod secret;
mod tools;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use agents::Agents;
pub(crate) use backends::{Log, Store};
pub(crate) use layers::{Layers, Sources};
pub(crate) use profiles::Profile;
pub(crate) use roles::Role;
pub(crate) use secret::Secret;

use crate::failure::{Failure, Outcome};

/// All settings.
#[derive(Debug)]
pub(crate) struct Config {
    /// What this process does.
    pub(crate) roles: Vec<Role>,
    /// Where it listens, and for how long it says goodbye.
    pub(crate) server: Server,
    /// Files of the embedded node.
    pub(crate) data_dir: PathBuf,
    /// Where events are kept.
    pub(crate) store: Store,
    /// What carries them.
    pub(crate) log: Log,
    /// Who answers.
    pub(crate) agents: Agents,
    /// Who is believed.
    pub(crate) tokens: Tokens,
    /// Wraps the keys of persons, base64; absent where the embedded node makes its own.
    pub(crate) master_key: Option<Secret>,
    /// What is logged, and how.
    pub(crate) telemetry: Telemetry,
}

/// The HTTP listener.
#[derive(Debug)]
pub(crate) struct Server {
    /// `host:port`.
    pub(crate) listen: String,
    /// How long requests in flight may take to end.
    pub(crate) drain: Duration,
    /// Whether clients may ask for the schema.
    pub(crate) introspection: bool,
}

/// Which tokens are believed.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// The secret of HS256; absent where the embedded node makes its own.
    pub(crate) secret: Option<Secret>,
    /// The `iss` that a token must have.
    pub(crate) issuer: Option<String>,
    /// The `aud` that a token must have.
    pub(crate) audience: Option<String>,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub(crate) struct Telemetry {
    /// `pretty` or `json`; otherwise by whether stderr is a terminal.
    pub(crate) format: Option<Format>,
    /// As `RUST_LOG` has it.
    pub(crate) filter: String,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads everything from where it stands.
    ///
    /// # Errors
    /// A setting is unknown, wrong, or does not go with another.
    pub(crate) fn load(sources: Sources) -> Outcome<(Self, Layers)> {
        let environment = sources.environment.clone();
        let layers = Layers::new(sources)?;
        let config = Self::read(&layers, &environment)?;
        Ok((config, layers))
    }

    fn read(layers: &Layers, environment: &BTreeMap<String, String>) -> Outcome<Self> {
        let data_dir = layers.read("data_dir", |path| Ok(PathBuf::from(path)))?;
        let text = |key| layers.get(key).map(str::to_owned);
        let secret = |key| text(key).map(Secret::new);
        let format = layers.get("log_format").map(|_| layers.read("log_format", format)).transpose()?;
        let config = Self {
            roles: layers.read("roles", roles::parse)?,
            server: Server {
                listen: layers.read("listen", listen)?,
                drain: layers.read("drain", duration::parse)?,
                introspection: layers.read("introspection", truth)?,
            },
            store: Store::read(layers, &data_dir)?,
            log: Log::read(layers)?,
            agents: Agents::read(layers, environment)?,
            tokens: Tokens { secret: secret("jwt_secret"), issuer: text("jwt_issuer"), audience: text("jwt_audience") },
            master_key: secret("master_key"),
            telemetry: Telemetry { format, filter: text("log_filter").unwrap_or_default() },
            data_dir,
        };
        if config.tokens.secret.as_ref().is_some_and(|secret| secret.expose().len() < SECRET_BYTES) {
            let name = layers.name("jwt_secret");
            return Err(Failure::usage(format!("{name} must have at least {SECRET_BYTES} bytes")));
        }
        Ok(config)
    }

    /// Whether everything is in one process and one file: no service but this one.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.store, Store::Sqlite(_))
    }

    /// What `serve` needs beside values that are right by themselves.
    ///
    /// # Errors
    /// Backends or roles do not go together.
    pub(crate) fn check_form(&self) -> Outcome<()> {
        if self.is_embedded() && !self.log.is_embedded() {
            return Err(Failure::usage(
                "a Kafka log needs a PostgreSQL store: SQLite is one process's own file; set --store postgres://…",
            ));
        }
        if self.log.is_embedded() && self.roles.len() < Role::ALL.len() {
            let missing: Vec<_> = Role::ALL.iter().filter(|r| !self.roles.contains(r)).map(|r| r.name()).collect();
            return Err(Failure::usage(format!(
                "the embedded log lives in one process, which must have all roles; {} missing: leave --roles out, \
                 or set --store postgres://… and --log kafka://…",
                missing.join(", ")
            )));
        }
        Ok(())
    }
}

/// The shortest secret of HS256 that is taken, in bytes.
const SECRET_BYTES: usize = 32;

fn listen(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err(format!("\"{text}\" is not an address such as 127.0.0.1:8080")),
    }
}

fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("\"{text}\" is neither true nor false"))
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "pretty" => Ok(Format::Pretty),
        "json" => Ok(Format::Json),
        _ => Err(format!("unknown format \"{text}\"; the nearest is {}", known::nearest(text, ["pretty", "json"]))),
    }
}

/// The file that `--config` or `LOQUENT_CONFIG` names, else `loquent.toml` where it is.
///
/// # Errors
/// A file that was named cannot be read.
pub(crate) fn file(named: Option<&Path>) -> Outcome<Option<(PathBuf, String)>> {
    let path = named.unwrap_or(Path::new("loquent.toml"));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::usage(format!("{} cannot be read: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests;
