//! `web_search`: Tavily's search API.

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::Service;
use crate::settings::Secret;
use crate::tool::http::Asked;
use crate::tool::{Outcome, text};

/// Results that are asked for.
const RESULTS: usize = 5;
/// What is shown of each.
const SHOWN: [&str; 4] = ["title", "url", "content", "published_date"];

/// The server that searches.
pub(crate) struct WebSearch(Service);

impl WebSearch {
    pub(in crate::tool) fn new(base_url: &str, key: Option<&Secret>) -> Result<Self, String> {
        Service::new(base_url, key).map(Self)
    }

    pub(in crate::tool) fn schema() -> Value {
        json!({
            "type": "object",
            "properties": { "query": { "type": "string", "minLength": 1, "maxLength": 400, "description": "What to look for" } },
            "required": ["query"],
            "additionalProperties": false,
        })
    }

    pub(in crate::tool) async fn run(&self, asked: Asked<'_>) -> Outcome {
        self.search(asked).await.unwrap_or_else(|outcome| outcome)
    }

    async fn search(&self, asked: Asked<'_>) -> Result<Outcome, Outcome> {
        let body = json!({ "query": asked.text("query"), "max_results": RESULTS });
        let reply = self.0.post(asked, self.0.url(["search"]), &body, asked.limits()).await?;
        let answer = self.0.json(&reply)?;
        let results = answer.get("results").and_then(Value::as_array);
        let results = results.ok_or_else(|| Outcome::Failed("the search answered in an unknown form".into()))?;
        let mut places = Vec::new();
        let mut found = Vec::new();
        for result in results.iter().take(RESULTS) {
            let url = result.get("url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
            places.extend(url.map(|url| text::address(&url)));
            let fields = SHOWN.iter().filter_map(|name| Some(((*name).to_owned(), result.get(*name)?.clone())));
            found.push(Value::Object(fields.collect::<Map<_, _>>()));
        }
        Ok(asked.tool.sum_up(json!({ "results": found }), places))
    }
}
