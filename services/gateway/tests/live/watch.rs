//! A client of graphql-sse.

use std::time::Duration;

use axum::body::BodyDataStream;
use events::{ConversationId, MessageId};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::node::Node;

const PATIENCE: Duration = Duration::from_secs(10);

const UPDATES: &str = "subscription ($id: ID!, $after: Cursor, $chunks: Boolean) { \
    conversationUpdates(conversationId: $id, after: $after, chunks: $chunks) { ...All } }";
const MESSAGE: &str =
    "subscription ($id: ID!, $after: Cursor) { messageUpdates(messageId: $id, after: $after) { ...All } }";
const ALL: &str = "fragment All on ConversationUpdate { __typename conversationId cursor at \
    ... on ConversationStarted { title } ... on ConversationRenamed { newTitle: title } \
    ... on ParticipantAdded { person by } ... on ParticipantRemoved { person by } \
    ... on MessageSent { messageId author text } \
    ... on TurnFailed { turnId reason } ... on AgentStarted { runId agent model epoch messageId } \
    ... on ChunkProduced { messageId runId epoch index kind delta } \
    ... on MessageCompleted { messageId text finishReason usage { inputTokens } } \
    ... on MessageFailed { messageId text reason } \
    ... on MessageStopped { messageId text usage { inputTokens } } \
    ... on TurnPlanned { turnId plan reason } ... on TurnStopped { turnId by } \
    ... on ToolCallRequested { toolCallId runId tool arguments needsApproval } ... on ToolCallStarted { toolCallId epoch } \
    ... on ToolCallApproved { toolCallId by editedArguments } ... on ToolCallRejected { toolCallId by refusal: reason } \
    ... on ToolCallCompleted { toolCallId result } ... on ToolCallFailed { toolCallId error } \
    ... on ToolCallUncertain { toolCallId } }";

/// An event stream under way.
pub(crate) struct Watch {
    body: BodyDataStream,
    read: String,
    /// `id` of the event read last.
    pub(crate) id: Option<String>,
}

/// What a stream delivers.
#[derive(Debug)]
pub(crate) enum Heard {
    Next(Value),
    Complete,
    /// It ended without a word.
    Cut,
}

impl Watch {
    pub(crate) async fn open(node: &Node, token: Option<&str>, body: &Value, last_event_id: Option<&str>) -> Self {
        let response = node.stream(token, body, last_event_id).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { body: response.into_body().into_data_stream(), read: String::new(), id: None }
    }

    pub(crate) async fn conversation(node: &Node, subject: &str, id: ConversationId, after: Option<&str>) -> Self {
        Self::with(node, subject, json!({ "id": id, "after": after })).await
    }

    pub(crate) async fn with(node: &Node, subject: &str, variables: Value) -> Self {
        let token = node.token(subject, Duration::from_secs(600));
        let body = json!({ "query": format!("{UPDATES} {ALL}"), "variables": variables });
        Self::open(node, Some(&token), &body, None).await
    }

    pub(crate) async fn resumed(node: &Node, subject: &str, id: ConversationId, last_event_id: &str) -> Self {
        let token = node.token(subject, Duration::from_secs(600));
        let body = json!({ "query": format!("{UPDATES} {ALL}"), "variables": { "id": id, "after": "0" } });
        Self::open(node, Some(&token), &body, Some(last_event_id)).await
    }

    pub(crate) async fn message(node: &Node, subject: &str, id: MessageId, after: Option<&str>) -> Self {
        let token = node.token(subject, Duration::from_secs(600));
        let body = json!({ "query": format!("{MESSAGE} {ALL}"), "variables": { "id": id, "after": after } });
        Self::open(node, Some(&token), &body, None).await
    }

    pub(crate) async fn heard(&mut self) -> Heard {
        loop {
            let Some(end) = self.read.find("\n\n") else {
                match timeout(PATIENCE, self.body.next()).await.expect("a stream that goes on") {
                    Some(bytes) => self.read.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap()),
                    None => return Heard::Cut,
                }
                continue;
            };
            let event = self.read.drain(..end + 2).collect::<String>();
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            match field("event") {
                Some("next") => {
                    self.id = field("id").map(Into::into);
                    return Heard::Next(serde_json::from_str(field("data").unwrap()).unwrap());
                }
                None if event == "event: complete\ndata:\n\n" => return Heard::Complete,
                Some("complete") => {
                    assert_eq!(event, "event: complete\ndata:\n\n");
                    return Heard::Complete;
                }
                Some(other) => panic!("an unknown event {other}"),
                None => assert!(event.starts_with(':') || event == "retry: 1000\n\n", "{event:?}"),
            }
        }
    }

    /// The next update, whatever its field is called.
    pub(crate) async fn update(&mut self) -> Value {
        match self.heard().await {
            Heard::Next(mut answer) => {
                assert!(answer.get("errors").is_none(), "{answer:#}");
                let update = answer["data"].as_object_mut().unwrap().values_mut().next().unwrap().take();
                assert_eq!(self.id.as_deref(), update["cursor"].as_str());
                update
            }
            other => panic!("an update was expected: {other:?}"),
        }
    }

    /// Updates up to and with the first of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut updates = Vec::new();
        loop {
            let update = self.update().await;
            let last = update["__typename"] == kind;
            updates.push(update);
            if last {
                return updates;
            }
        }
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut updates = Vec::new();
        while updates.len() < count {
            updates.push(self.update().await);
        }
        updates
    }

    /// The code of the one error that comes next.
    pub(crate) async fn code(&mut self) -> String {
        match self.heard().await {
            Heard::Next(answer) => answer["errors"][0]["extensions"]["code"].as_str().expect("a code").to_owned(),
            other => panic!("an error was expected: {other:?}"),
        }
    }

    pub(crate) async fn completes(&mut self) {
        let heard = self.heard().await;
        assert!(matches!(heard, Heard::Complete), "{heard:?}");
    }
}

pub(crate) fn kinds(updates: &[Value]) -> Vec<&str> {
    updates.iter().map(|update| update["__typename"].as_str().unwrap()).collect()
}

pub(crate) fn deltas(updates: &[Value]) -> Vec<&str> {
    updates.iter().filter_map(|update| update["delta"].as_str()).collect()
}

pub(crate) fn cursor(update: &Value) -> &str {
    update["cursor"].as_str().unwrap()
}
