//! What agents may do, and where their tools may go.

use std::collections::BTreeMap;
use std::time::Duration;

use agents::{BUILT_IN_TOOLS, BuiltIn, Effect, Header, HttpTool, Rules, ToolSettings};
use events::event::Approval;
use toml::{Table, Value};

use super::agents::named;
use super::layers::{Layers, secret_file};
use super::{duration, known};
use crate::failure::{Failure, Outcome};

/// What may be said about every tool.
const RULES: [&str; 4] = ["approval", "timeout", "cache", "result_limit"];
/// What may be said about a tool that is an HTTP request.
const HTTP: [&str; 8] = ["kind", "description", "method", "url", "parameters", "headers", "effect", "idempotent"];

/// Reads `[tools.<name>]` and `[egress]`.
pub(super) fn read(layers: &Layers, environment: &BTreeMap<String, String>) -> Outcome<ToolSettings> {
    let secret = |key| layers.get(key).map(agents::Secret::new);
    let mut settings = ToolSettings {
        allow: allowed(&layers.tables)?,
        tavily_key: secret("tavily_api_key"),
        github_token: secret("github_token"),
        ..ToolSettings::default()
    };
    for (name, table) in named(&layers.tables, "tools")? {
        let entry = Entry { place: format!("tools.{name}"), table, environment };
        match BUILT_IN_TOOLS.iter().find(|(known, _)| *known == name) {
            Some((_, own)) => _ = settings.built_in.insert(name.to_owned(), entry.built_in(own)?),
            None => _ = settings.http.insert(name.to_owned(), entry.http()?),
        }
    }
    agents::check_tools(&settings).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(settings)
}

fn allowed(tables: &Table) -> Outcome<Vec<String>> {
    let Some(egress) = tables.get("egress") else { return Ok(Vec::new()) };
    let table = egress.as_table().ok_or_else(|| Failure::usage("egress must be a table"))?;
    if let Some(key) = table.keys().find(|key| *key != "allow") {
        return Err(Failure::usage(format!("unknown key egress.{key}; the nearest is allow")));
    }
    let Some(allow) = table.get("allow") else { return Ok(Vec::new()) };
    let networks = allow.as_array().and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect());
    networks.ok_or_else(|| Failure::usage("egress.allow must be a list of networks such as \"10.0.0.0/8\""))
}

/// One `[tools.<name>]`.
struct Entry<'a> {
    place: String,
    table: &'a Table,
    environment: &'a BTreeMap<String, String>,
}

impl Entry<'_> {
    fn built_in(&self, own: &'static [&'static str]) -> Outcome<BuiltIn> {
        self.refuse_unknown(RULES.iter().chain(own).copied())?;
        let text = |key| Ok::<_, Failure>(self.text(key)?.map(str::to_owned));
        Ok(BuiltIn { rules: self.rules()?, base_url: text("base_url")? })
    }

    fn http(&self) -> Outcome<HttpTool> {
        if self.text("kind")? != Some("http") {
            let built_in: Vec<_> = BUILT_IN_TOOLS.iter().map(|(name, _)| *name).collect();
            let built_in = built_in.join(", ");
            return Err(self.wrong("kind", &format!("must be \"http\"; tools that need none are {built_in}")));
        }
        self.refuse_unknown(RULES.into_iter().chain(HTTP))?;
        let need = |key| self.text(key)?.map(str::to_owned).ok_or_else(|| self.needs(key));
        let parameters = self.table.get("parameters").ok_or_else(|| self.needs("parameters"))?;
        let idempotent = self
            .table
            .get("idempotent")
            .map(|value| value.as_bool().ok_or_else(|| self.wrong("idempotent", "must be true or false")));
        Ok(HttpTool {
            description: need("description")?,
            method: need("method")?,
            url: need("url")?,
            parameters: json(parameters).ok_or_else(|| self.wrong("parameters", "must be a JSON Schema"))?,
            headers: self.headers()?,
            effect: self.one_of("effect", &[("read", Effect::Read), ("write", Effect::Write)])?,
            idempotent: idempotent.transpose()?,
            rules: self.rules()?,
        })
    }

    fn rules(&self) -> Outcome<Rules> {
        let approvals = [("auto", Approval::Auto), ("ask", Approval::Ask), ("deny", Approval::Deny)];
        let limit = self.table.get("result_limit").map(|value| {
            let number = value.as_integer().and_then(|number| usize::try_from(number).ok());
            number.ok_or_else(|| self.wrong("result_limit", "must be a number of bytes"))
        });
        Ok(Rules {
            approval: self.one_of("approval", &approvals)?,
            timeout: self.length("timeout")?,
            cache: self.length("cache")?,
            result_limit: limit.transpose()?,
        })
    }

    fn headers(&self) -> Outcome<Vec<Header>> {
        let Some(headers) = self.table.get("headers") else { return Ok(Vec::new()) };
        let headers = headers.as_table().ok_or_else(|| self.wrong("headers", "must be a table of texts"))?;
        let header = |(name, value): (&String, &Value)| {
            let key = format!("headers.{name}");
            let text = value.as_str().ok_or_else(|| self.wrong(&key, "must be a text"))?;
            let (value, secrets) = self.filled_in(&key, text)?;
            let secrets = secrets.into_iter().map(agents::Secret::new).collect();
            Ok(Header { name: name.clone(), value: agents::Secret::new(value), secrets })
        };
        headers.iter().map(header).collect()
    }

    /// A text with each `${NAME}` replaced by that variable, and what was put in.
    fn filled_in(&self, key: &str, text: &str) -> Outcome<(String, Vec<String>)> {
        let (mut filled, mut secrets, mut rest) = (String::new(), Vec::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| self.wrong(key, "has a ${ without its }"))?;
            let secret = self.variable(key, name)?;
            filled.push_str(before);
            filled.push_str(&secret);
            secrets.push(secret);
            rest = after;
        }
        filled.push_str(rest);
        Ok((filled, secrets))
    }

    fn variable(&self, key: &str, name: &str) -> Outcome<String> {
        let get = |name: &str| self.environment.get(name).filter(|text| !text.is_empty());
        let file = format!("{name}_FILE");
        match (get(name), get(&file)) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(path)) => secret_file(&file, path),
            (None, None) => Err(self.wrong(key, &format!("needs the variable {name}, which is not set"))),
        }
    }

    fn text(&self, key: &str) -> Outcome<Option<&str>> {
        let value = self.table.get(key);
        value.map(|value| value.as_str().ok_or_else(|| self.wrong(key, "must be a text"))).transpose()
    }

    fn length(&self, key: &str) -> Outcome<Option<Duration>> {
        self.text(key)?.map(|text| duration::parse(text).map_err(|why| self.wrong(key, &why))).transpose()
    }

    fn one_of<T: Copy>(&self, key: &str, known: &[(&str, T)]) -> Outcome<Option<T>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let names = known.iter().map(|(name, _)| *name);
        let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| Some(*value));
        found.ok_or_else(|| {
            self.wrong(key, &format!("unknown value \"{text}\"; the nearest is {}", known::nearest(text, names)))
        })
    }

    fn refuse_unknown(&self, known: impl Iterator<Item = &'static str> + Clone) -> Outcome<()> {
        let unknown = self.table.keys().find(|key| known.clone().all(|known| known != key.as_str()));
        unknown.map_or(Ok(()), |key| {
            let nearest = known::nearest(key, known);
            Err(Failure::usage(format!("unknown key {}.{key}; the nearest is {nearest}", self.place)))
        })
    }

    fn needs(&self, key: &str) -> Failure {
        Failure::usage(format!("{} needs {key}", self.place))
    }

    fn wrong(&self, key: &str, why: &str) -> Failure {
        Failure::usage(format!("{}.{key}: {why}", self.place))
    }
}

/// The file's value as JSON, which knows no dates.
fn json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::String(text) => text.clone().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => serde_json::Number::from_f64(*number)?.into(),
        Value::Boolean(flag) => (*flag).into(),
        Value::Datetime(_) => return None,
        Value::Array(items) => items.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        Value::Table(table) => {
            let fields = table.iter().map(|(key, value)| Some((key.clone(), json(value)?)));
            serde_json::Value::Object(fields.collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Sources};

    use super::*;

    const DELETE: &str = r#"
        [tools.delete_branch]
        kind = "http"
        description = "Deletes a branch"
        method = "POST"
        url = "https://ci.example/branches/delete"
        parameters = { type = "object", properties = { name = { type = "string" } }, required = ["name"] }
        headers = { Authorization = "Bearer ${CI_TOKEN}", Accept = "application/json" }
        approval = "ask"
        effect = "write"
        idempotent = false
        timeout = "10s"
        cache = "0s"
    "#;

    fn settings(file: &str) -> Outcome<ToolSettings> {
        let variables =
            [("CI_TOKEN", "planted-token"), ("TAVILY_API_KEY", "planted-key"), ("OPENAI_API_KEY", "planted-ai")];
        let sources = Sources {
            file: Some(("loquent.toml".into(), file.to_owned())),
            environment: variables.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect(),
            flags: Vec::new(),
        };
        Config::load(sources).map(|(config, _)| config.agents.tools)
    }

    fn refusal(file: &str) -> String {
        match settings(file) {
            Err(Failure::Usage(message)) => message,
            other => panic!("should be refused as wrong usage: {other:?}"),
        }
    }

    #[test]
    fn a_tool_is_read_as_it_is_documented() {
        let settings = settings(&format!("{DELETE}\n[egress]\nallow = [\"127.0.0.1/32\"]")).expect("settings");
        let tool = &settings.http["delete_branch"];
        assert_eq!(
            (tool.effect, tool.idempotent, tool.rules.approval),
            (Some(Effect::Write), Some(false), Some(Approval::Ask))
        );
        assert_eq!((tool.rules.timeout, tool.rules.cache), (Some(Duration::from_secs(10)), Some(Duration::ZERO)));
        assert_eq!(tool.parameters["required"], serde_json::json!(["name"]));
        let bearer = tool.headers.iter().find(|header| header.name == "Authorization").expect("header");
        assert_eq!(bearer.value, agents::Secret::new("Bearer planted-token"));
        assert_eq!(bearer.secrets, [agents::Secret::new("planted-token")]);
        assert_eq!(settings.allow, ["127.0.0.1/32"]);
        assert_eq!(settings.tavily_key, Some(agents::Secret::new("planted-key")));
        assert!(!format!("{settings:?}").contains("planted"));
    }

    #[test]
    fn built_in_tools_take_only_settings() {
        let file = "[tools.fetch_url]\napproval = \"deny\"\n[tools.web_search]\nbase_url = \"http://127.0.0.1:1\"\ncache = \"1h\"";
        let settings = settings(file).expect("settings");
        assert_eq!(settings.built_in["fetch_url"].rules.approval, Some(Approval::Deny));
        assert_eq!(settings.built_in["web_search"].rules.cache, Some(Duration::from_secs(3600)));
        assert!(
            refusal("[tools.fetch_url]\nbase_url = \"http://h\"").starts_with("unknown key tools.fetch_url.base_url")
        );
        assert!(refusal("[tools.github]\nkind = \"http\"").starts_with("unknown key tools.github.kind"));
    }

    #[test]
    fn what_is_unknown_is_refused_with_the_nearest_name() {
        assert_eq!(
            refusal(&DELETE.replace("approval", "aproval")),
            "unknown key tools.delete_branch.aproval; the nearest is approval"
        );
        assert!(refusal(&DELETE.replace("\"ask\"", "\"asks\"")).ends_with("the nearest is ask"));
        assert!(refusal("[egress]\nallowed = []").ends_with("the nearest is allow"));
        assert!(refusal("[egress]\nallow = \"10.0.0.0/8\"").contains("must be a list"));
        assert!(refusal("[egress]\nallow = [\"10.0.0.0/33\"]").contains("is no network"));
    }

    #[test]
    fn what_a_tool_lacks_is_named() {
        assert_eq!(refusal(&DELETE.replace("url", "#")), "tools.delete_branch needs url");
        assert!(refusal(&DELETE.replace("kind", "#")).contains("must be \"http\""));
        assert!(refusal(&DELETE.replace("10s", "1h")).contains("at most 15s"));
        let unset = refusal(&DELETE.replace("CI_TOKEN", "CI_TOKENS"));
        assert_eq!(unset, "tools.delete_branch.headers.Authorization: needs the variable CI_TOKENS, which is not set");
        assert!(refusal(&DELETE.replace("TOKEN}", "TOKEN")).contains("has a ${ without its }"));
    }
}
