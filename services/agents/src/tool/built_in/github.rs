//! `github`: search, read files and issues through GitHub's API.

use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::Service;
use crate::settings::Secret;
use crate::tool::http::Asked;
use crate::tool::{Outcome, text};

/// Entries of a list.
const ENTRIES: &str = "10";
/// Characters of an issue's text.
const ISSUE: usize = 1000;
const VERSION: HeaderName = HeaderName::from_static("x-github-api-version");

/// The server, and our key to it.
pub(crate) struct GitHub(Service);

impl GitHub {
    pub(in crate::tool) fn new(base_url: &str, token: Option<&Secret>) -> Result<Self, String> {
        Service::new(base_url, token).map(Self)
    }

    pub(in crate::tool) fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "action": {
                    "enum": ["search_repositories", "search_code", "read_file", "list_issues"],
                    "description": "search_* need query; read_file needs repository and path; list_issues needs repository",
                },
                "query": { "type": "string", "minLength": 1, "description": "In GitHub's search syntax" },
                "repository": { "type": "string", "pattern": "^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", "description": "owner/name" },
                "path": { "type": "string", "description": "A file or a folder in the repository" },
                "ref": { "type": "string", "minLength": 1, "description": "Branch, tag or commit; else the default branch" },
                "state": { "enum": ["open", "closed", "all"], "description": "Of issues; else open" },
            },
            "required": ["action"],
            "additionalProperties": false,
        })
    }

    pub(in crate::tool) async fn run(&self, asked: Asked<'_>) -> Outcome {
        let done = match asked.text("action") {
            Some("search_repositories") => self.repositories(asked).await,
            Some("search_code") => self.code(asked).await,
            Some("read_file") => self.file(asked).await,
            _ => self.issues(asked).await,
        };
        done.unwrap_or_else(|outcome| outcome)
    }

    async fn repositories(&self, asked: Asked<'_>) -> Result<Outcome, Outcome> {
        let found = self.search(asked, "repositories").await?;
        let entry = |one: &Value| {
            json!({
                "repository": one["full_name"], "description": one["description"], "url": one["html_url"],
                "language": one["language"], "stars": one["stargazers_count"], "updated": one["pushed_at"],
            })
        };
        Ok(list(asked, &found["items"], entry))
    }

    async fn code(&self, asked: Asked<'_>) -> Result<Outcome, Outcome> {
        let found = self.search(asked, "code").await?;
        let entry = |one: &Value| json!({ "repository": one["repository"]["full_name"], "path": one["path"], "url": one["html_url"] });
        Ok(list(asked, &found["items"], entry))
    }

    async fn search(&self, asked: Asked<'_>, what: &str) -> Result<Value, Outcome> {
        let mut url = self.0.url(["search", what]);
        url.query_pairs_mut().append_pair("q", need(asked, "query")?).append_pair("per_page", ENTRIES);
        self.ask(asked, url).await
    }

    async fn file(&self, asked: Asked<'_>) -> Result<Outcome, Outcome> {
        let parts = ["contents"].into_iter().chain(need(asked, "path")?.split('/').filter(|part| !part.is_empty()));
        let mut url = self.repository(asked, parts)?;
        if let Some(reference) = asked.text("ref") {
            url.query_pairs_mut().append_pair("ref", reference);
        }
        let headers = headers("application/vnd.github.raw+json");
        let reply = self.0.get(asked, url, headers).await?;
        if !reply.media_type().starts_with("application/json") {
            return Ok(reply.done(asked.tool, &self.0.secrets));
        }
        let folder = self.0.json(&reply)?;
        let entry = |one: &Value| json!({ "path": one["path"], "type": one["type"], "url": one["html_url"] });
        Ok(list(asked, &folder, entry))
    }

    async fn issues(&self, asked: Asked<'_>) -> Result<Outcome, Outcome> {
        let mut url = self.repository(asked, ["issues"])?;
        let state = asked.text("state").unwrap_or("open");
        url.query_pairs_mut().append_pair("state", state).append_pair("per_page", ENTRIES);
        let issues = self.ask(asked, url).await?;
        let entry = |one: &Value| {
            let labels = one["labels"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|label| &label["name"]);
            json!({
                "number": one["number"], "title": one["title"], "state": one["state"], "url": one["html_url"],
                "author": one["user"]["login"], "created": one["created_at"], "comments": one["comments"],
                "labels": labels.collect::<Vec<_>>(), "is_pull_request": one.get("pull_request").is_some(),
                "text": text::line(one["body"].as_str().unwrap_or_default(), ISSUE),
            })
        };
        Ok(list(asked, &issues, entry))
    }

    /// The address of something in the repository that the call names.
    fn repository<'p>(&self, asked: Asked<'p>, parts: impl IntoIterator<Item = &'p str>) -> Result<Url, Outcome> {
        let name = need(asked, "repository")?;
        let parts: Vec<&str> = ["repos"].into_iter().chain(name.split('/')).chain(parts).collect();
        if parts.iter().any(|part| matches!(*part, "." | "..")) {
            return Err(Outcome::Failed("repository and path must not hold `.` or `..` as a part".into()));
        }
        Ok(self.0.url(parts))
    }

    async fn ask(&self, asked: Asked<'_>, url: Url) -> Result<Value, Outcome> {
        let reply = self.0.get(asked, url, headers("application/vnd.github+json")).await?;
        self.0.json(&reply)
    }
}

fn headers(accept: &'static str) -> HeaderMap {
    let headers = [(ACCEPT, HeaderValue::from_static(accept)), (VERSION, HeaderValue::from_static("2022-11-28"))];
    headers.into_iter().collect()
}

fn need<'a>(asked: Asked<'a>, name: &str) -> Result<&'a str, Outcome> {
    let action = asked.text("action").unwrap_or_default();
    asked.text(name).ok_or_else(|| Outcome::Failed(format!("the action {action} needs `{name}`")))
}

/// The entries of a list in short, each with where it is.
fn list(asked: Asked<'_>, found: &Value, entry: impl Fn(&Value) -> Value) -> Outcome {
    let entries: Vec<Value> = found.as_array().map_or(&[][..], Vec::as_slice).iter().map(entry).collect();
    let urls = entries.iter().filter_map(|entry| Url::parse(entry["url"].as_str()?).ok());
    let places = urls.map(|url| text::address(&url)).collect();
    asked.tool.sum_up(json!({ "found": entries }), places)
}
