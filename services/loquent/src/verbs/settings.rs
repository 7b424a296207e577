//! `loquent config print`.

use serde_json::{Map, Value, json};
use toml::Table;

use super::print;
use crate::cli::Output;
use crate::config::known::{SETTINGS, Setting};
use crate::config::{Config, Layers, secret};
use crate::failure::Outcome;

const HIDDEN: &str = "<redacted>";

/// Prints what holds, where it comes from, and no secret. The text form is a `loquent.toml`, but for
/// the secrets.
///
/// # Errors
/// Stdout cannot be written.
pub(crate) fn run(config: &Config, layers: &Layers, output: Output) -> Outcome<()> {
    match output {
        Output::Json => print(format_args!("{:#}", as_json(config, layers))),
        Output::Text => as_text(config, layers),
    }
}

/// The value to show, and who said it.
fn shown(config: &Config, layers: &Layers, setting: &Setting) -> Option<(String, String)> {
    let origin = layers.origin(setting.key).unwrap_or("default").to_owned();
    let value = match setting.key {
        "store" => secret::without_password(&config.store.url()),
        "openai_base_url" | "anthropic_base_url" => secret::without_password(layers.get(setting.key)?),
        key if setting.secret => layers.get(key).map(|_| HIDDEN.to_owned())?,
        key => layers.get(key)?.to_owned(),
    };
    Some((value, origin))
}

fn as_text(config: &Config, layers: &Layers) -> Outcome<()> {
    let mut table = "";
    for setting in SETTINGS {
        let Some((value, origin)) = shown(config, layers, setting) else { continue };
        let key = match setting.key.split_once('.') {
            Some((section, key)) => {
                if section != table {
                    print(format_args!("\n[{section}]"))?;
                    table = section;
                }
                key
            }
            None => setting.key,
        };
        let hidden = if setting.secret { "# " } else { "" };
        print(format_args!("{hidden}{key} = {}  # {origin}", toml::Value::String(value)))?;
    }
    let tables = hidden_tables(layers);
    if tables.is_empty() { Ok(()) } else { print(format_args!("\n{}", toml::to_string(&tables)?.trim_end())) }
}

fn as_json(config: &Config, layers: &Layers) -> Value {
    let entry = |setting: &Setting| {
        let (value, origin) = shown(config, layers, setting)?;
        Some((setting.key.to_owned(), json!({ "value": value, "from": origin })))
    };
    let mut all: Map<String, Value> = SETTINGS.iter().filter_map(entry).collect();
    all.extend(hidden_tables(layers).into_iter().map(|(key, value)| (key, json!(value))));
    Value::Object(all)
}

/// The file's tables. librdkafka takes passwords and keys under many names, so none of its values but the harmless are shown;
/// a provider's address may carry a password too.
fn hidden_tables(layers: &Layers) -> Table {
    let mut tables = layers.tables.clone();
    if let Some(kafka) = tables.get_mut("kafka") {
        hide(kafka, &|key, _| {
            let harmless = ["security.protocol", "sasl.mechanism", "protocol", "mechanism", "mechanisms"];
            if harmless.contains(&key) { String::new() } else { HIDDEN.to_owned() }
        });
    }
    if let Some(providers) = tables.get_mut("providers") {
        hide(providers, &|key, text| if key == "base_url" { secret::without_password(text) } else { String::new() });
    }
    let tools = tables.get_mut("tools").and_then(toml::Value::as_table_mut);
    for (_, tool) in tools.into_iter().flatten() {
        if let Some(headers) = tool.get_mut("headers") {
            hide(headers, &|_, text| if names_variables(text) { String::new() } else { HIDDEN.to_owned() });
        }
        hide_query(tool);
    }
    tables
}

/// Whether a header says no more than a scheme and which variable holds the secret: `Bearer ${TOKEN}`.
fn names_variables(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("${") else { return false };
    let is_word = |text: &str| text.trim_end().chars().all(|c| c.is_ascii_alphabetic());
    is_word(scheme) && rest.strip_suffix('}').is_some_and(|name| !name.contains('}'))
}

/// A tool's address may carry a key among its parameters.
fn hide_query(tool: &mut toml::Value) {
    let Some(toml::Value::String(url)) = tool.get_mut("url") else { return };
    if let Some((before, _)) = url.split_once('?') {
        *url = format!("{before}?{HIDDEN}");
    }
}

/// Replaces texts by what `instead` says; an empty answer leaves them.
fn hide(value: &mut toml::Value, instead: &dyn Fn(&str, &str) -> String) {
    let Some(table) = value.as_table_mut() else { return };
    for (key, value) in table.iter_mut() {
        match value {
            toml::Value::String(text) => {
                let replaced = instead(key, text);
                if !replaced.is_empty() {
                    *text = replaced;
                }
            }
            nested => hide(nested, instead),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Sources;

    use super::*;

    #[test]
    fn tools_are_shown_without_their_secrets() {
        let file = r#"
            [tools.a]
            kind = "http"
            description = "d"
            method = "GET"
            url = "https://host/x?key=planted"
            parameters = { type = "object" }
            headers = { Authorization = "Bearer ${CI_TOKEN}", X-Key = "planted", X-Both = "planted ${CI_TOKEN}x" }
        "#;
        let sources = Sources {
            file: Some(("loquent.toml".into(), file.to_owned())),
            environment: [("CI_TOKEN", "planted"), ("TAVILY_API_KEY", "planted")]
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .into(),
            flags: Vec::new(),
        };
        let (config, layers) = Config::load(sources).expect("settings");
        let shown = as_json(&config, &layers);
        assert_eq!(shown["tools"]["a"]["headers"]["Authorization"], "Bearer ${CI_TOKEN}");
        assert_eq!(shown["tools"]["a"]["url"], "https://host/x?<redacted>");
        assert_eq!(shown["tavily_api_key"]["value"], HIDDEN);
        assert!(!shown.to_string().contains("planted"), "{shown}");
    }
}
