//! Defaults < `loquent.toml` < environment < flags, and where each value came from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::known::{self, SETTINGS, Setting, TABLES};
use crate::failure::{Failure, Outcome};

/// A value as text, and who said it.
pub(crate) struct Layered {
    /// The text, as it would stand in the environment.
    pub(crate) text: String,
    /// `default`, `loquent.toml`, the variable's or the flag's name.
    pub(crate) origin: String,
}

/// What the outside world says: taken as parameters so that tests need no process.
#[derive(Default)]
pub(crate) struct Sources {
    /// The file's text and its name, if there is one.
    pub(crate) file: Option<(PathBuf, String)>,
    /// The whole environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Flags that were given, by the setting's key.
    pub(crate) flags: Vec<(&'static str, String)>,
}

/// All values, and the file's tables.
pub(crate) struct Layers {
    values: BTreeMap<&'static str, Layered>,
    /// Those of [`TABLES`], as the file has them.
    pub(crate) tables: Table,
}

impl Layers {
    /// Lays the sources over each other.
    ///
    /// # Errors
    /// A name is unknown, or a value has a form that no setting has.
    pub(crate) fn new(sources: Sources) -> Outcome<Self> {
        let mut values = BTreeMap::new();
        for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
            values.insert(setting.key, Layered { text: setting.default.into(), origin: "default".into() });
        }
        let mut tables = Table::new();
        if let Some((path, text)) = sources.file {
            let name = path.display().to_string();
            let file: Table = text.parse().map_err(|error| broken_file(&name, &error))?;
            read_file(&name, file, &mut values, &mut tables)?;
        }
        read_environment(&sources.environment, &mut values)?;
        for (key, text) in sources.flags {
            let origin = format!("--{}", key.replace('_', "-"));
            values.insert(key, Layered { text, origin });
        }
        Ok(Self { values, tables })
    }

    /// A setting's value; `None` where it is absent.
    pub(crate) fn get(&self, key: &'static str) -> Option<&str> {
        debug_assert!(known::by_key(key).is_some(), "{key} is no setting");
        self.values.get(key).map(|value| value.text.as_str())
    }

    /// A setting's value, read by `parse`, whose error becomes a line that names the setting.
    ///
    /// # Errors
    /// `parse` refuses.
    pub(crate) fn read<T>(&self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Outcome<T> {
        let text = self.get(key).unwrap_or_default();
        parse(text).map_err(|why| Failure::usage(format!("{}: {why}", self.name(key))))
    }

    /// The name under which a value was given, for messages.
    pub(crate) fn name(&self, key: &'static str) -> String {
        let origin = self.values.get(key).map_or("default", |value| value.origin.as_str());
        if origin == "default" || origin.ends_with(".toml") { key.to_owned() } else { origin.to_owned() }
    }

    /// Who said it; `None` where the setting is absent.
    pub(crate) fn origin(&self, key: &'static str) -> Option<&str> {
        self.values.get(key).map(|value| value.origin.as_str())
    }
}

fn broken_file(name: &str, error: &toml::de::Error) -> Failure {
    // The library's own text shows the line, and a line may hold a secret.
    Failure::usage(format!("{name}: {}", error.message().replace('\n', " ")))
}

fn read_file(name: &str, file: Table, values: &mut BTreeMap<&'static str, Layered>, tables: &mut Table) -> Outcome<()> {
    for (key, value) in file {
        if TABLES.contains(&key.as_str()) {
            tables.insert(key, value);
            continue;
        }
        let prefix = format!("{key}.");
        let is_table = SETTINGS.iter().any(|setting| setting.key.starts_with(&prefix));
        match value {
            Value::Table(table) if is_table => {
                for (inner, value) in table {
                    set_from_file(name, &format!("{prefix}{inner}"), &value, values)?;
                }
            }
            value => set_from_file(name, &key, &value, values)?,
        }
    }
    Ok(())
}

fn set_from_file(name: &str, key: &str, value: &Value, values: &mut BTreeMap<&'static str, Layered>) -> Outcome<()> {
    if let Some(setting) = key.strip_suffix("_file").and_then(known::by_key).filter(|setting| setting.secret) {
        let path = value.as_str().ok_or_else(|| Failure::usage(format!("{name}: {key} must be a path")))?;
        values.insert(setting.key, Layered { text: secret_file(key, path)?, origin: name.into() });
        return Ok(());
    }
    let Some(setting) = known::by_key(key) else {
        let tables = SETTINGS.iter().filter_map(|setting| setting.key.split_once('.')).map(|(table, _)| table);
        let known = SETTINGS.iter().map(|setting| setting.key).chain(TABLES.iter().copied()).chain(tables);
        return Err(Failure::usage(format!(
            "{name}: unknown key {key}; the nearest is {}",
            known::nearest(key, known)
        )));
    };
    let text = text_of(value).ok_or_else(|| Failure::usage(format!("{name}: {key} must be one value")))?;
    values.insert(setting.key, Layered { text, origin: name.into() });
    Ok(())
}

/// Lists are joined by commas, as the environment has them.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            items.map(|items| items.join(","))
        }
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => None,
    }
}

/// An empty variable counts as one that is not set.
fn read_environment(
    environment: &BTreeMap<String, String>,
    values: &mut BTreeMap<&'static str, Layered>,
) -> Outcome<()> {
    for name in environment.keys().filter(|name| name.starts_with("LOQUENT_")) {
        if !is_known(name) && !set_by_kubernetes(name) {
            let known = SETTINGS.iter().flat_map(|setting| setting.environment).copied().chain(["LOQUENT_CONFIG"]);
            let nearest = known::nearest(name, known.filter(|known| known.starts_with("LOQUENT_")));
            return Err(Failure::usage(format!("unknown variable {name}; the nearest is {nearest}")));
        }
    }
    for setting in SETTINGS {
        for name in setting.environment {
            if let Some(text) = variable(setting, name, environment)? {
                values.insert(setting.key, Layered { text, origin: (*name).into() });
                break;
            }
        }
    }
    Ok(())
}

fn is_known(name: &str) -> bool {
    let of = |setting: &Setting, name: &str| setting.environment.contains(&name);
    let file = name.strip_suffix("_FILE");
    name == "LOQUENT_CONFIG"
        || SETTINGS.iter().any(|setting| of(setting, name) || (setting.secret && file.is_some_and(|f| of(setting, f))))
}

/// Kubernetes puts `<SERVICE>_SERVICE_HOST`, `<SERVICE>_PORT_8080_TCP` and so on into every container, also for a service
/// that is called `loquent` or `loquent-gateway`.
fn set_by_kubernetes(name: &str) -> bool {
    let name = name.trim_start_matches("LOQUENT_");
    let link = |part: &str| part == "PORT" || part.starts_with("PORT_") || part.starts_with("SERVICE_");
    link(name)
        || name.ends_with("_PORT")
        || name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn variable(setting: &Setting, name: &str, environment: &BTreeMap<String, String>) -> Outcome<Option<String>> {
    let get = |name: &str| environment.get(name).filter(|text| !text.is_empty()).cloned();
    let direct = get(name).map(|text| if name == "PORT" { format!("0.0.0.0:{text}") } else { text });
    if !setting.secret {
        return Ok(direct);
    }
    let file = format!("{name}_FILE");
    match (direct, get(&file)) {
        (Some(_), Some(_)) => Err(Failure::usage(format!("{name} and {file} are both set; keep one"))),
        (None, Some(path)) => secret_file(&file, &path).map(Some),
        (direct, None) => Ok(direct),
    }
}

/// A secret's file without the line end that editors add.
pub(super) fn secret_file(name: &str, path: &str) -> Outcome<String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Failure::usage(format!("{name}: {path} cannot be read: {error}")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
