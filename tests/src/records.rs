//! The events of a conversation as the log has them, those that clients are not shown included.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::PATIENCE;
use crate::client::text;
use crate::sandbox::Sandbox;

/// Events from the conversation's beginning, as `loquent tail` prints them.
pub struct Records(pub Vec<Value>);

impl Records {
    /// Reads until so many turns have ended.
    ///
    /// # Panics
    /// That takes too long.
    pub async fn of(sandbox: &Sandbox, conversation: &str, turns: usize) -> Self {
        let arguments = ["--conversation", conversation, "--from", "beginning", "-o", "json"];
        let mut command = sandbox.command("tail", &arguments);
        let mut tail = command.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().expect("tail");
        let mut lines = BufReader::new(tail.stdout.take().expect("stdout")).lines();
        let mut records = Self(Vec::new());
        while records.ended() < turns {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("in time");
            let record: Value = serde_json::from_str(&line.expect("a line").expect("more")).expect("JSON");
            records.0.push(record);
        }
        records
    }

    /// The data of all events of a type, e.g. `model_call.ended`.
    pub fn of_type<'r>(&'r self, name: &str) -> impl Iterator<Item = &'r Value> {
        let name = format!("dev.loquent.{name}.v1");
        self.0.iter().filter(move |record| record["type"] == name.as_str()).map(|record| &record["data"])
    }

    /// How many events of a type there are.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.of_type(name).count()
    }

    fn ended(&self) -> usize {
        ["turn.completed", "turn.failed", "turn.stopped"].map(|end| self.count(end)).iter().sum()
    }

    /// Every model call that began has ended, once. As many requests as that have left; fewer only by calls whose worker died,
    /// or that failed, before they could.
    ///
    /// # Panics
    /// That is not so.
    pub fn account_for(&self, requests: usize) {
        let begun: Vec<_> = self.of_type("model_call.started").map(|call| text(&call["call"])).collect();
        let mut ended = BTreeMap::new();
        for call in self.of_type("model_call.ended") {
            let again = ended.insert(text(&call["call"]), text(&call["outcome"]));
            assert!(again.is_none(), "a call ends once: {call}");
        }
        assert!(begun.iter().all(|call| ended.contains_key(call)), "every call has ended: {begun:?}, {ended:?}");
        let surely = ended.values().filter(|outcome| *outcome == "completed").count();
        assert!(
            (surely..=begun.len()).contains(&requests) && requests + self.abandoned() >= begun.len(),
            "{requests} requests, {begun:?}, {ended:?}"
        );
    }

    /// Model calls whose worker died.
    #[must_use]
    pub fn abandoned(&self) -> usize {
        self.of_type("model_call.ended").filter(|call| call["outcome"] == "abandoned").count()
    }

    /// Every tool call has ended, once; answers how, by its id.
    ///
    /// # Panics
    /// That is not so.
    #[must_use]
    pub fn tool_calls(&self) -> BTreeMap<String, &'static str> {
        let mut ended = BTreeMap::new();
        for end in ["completed", "failed", "rejected", "uncertain"] {
            for call in self.of_type(&format!("tool_call.{end}")) {
                assert!(ended.insert(text(&call["call"]), end).is_none(), "a tool call ends once: {call}");
            }
        }
        for call in self.of_type("tool_call.requested") {
            assert!(ended.contains_key(&text(&call["call"])), "a tool call has not ended: {call}");
        }
        ended
    }
}
