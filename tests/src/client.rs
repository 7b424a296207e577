//! A person's client, over the doors that everyone uses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::{SinkExt, StreamExt};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::PATIENCE;
use crate::sandbox::JWT_SECRET;

/// The fields of every kind of update.
const UPDATE: &str = "__typename conversationId cursor at \
    ... on MessageSent { messageId author text } ... on TurnStarted { turnId } ... on TurnCompleted { turnId } \
    ... on TurnFailed { turnId reason } ... on AgentStarted { runId agent model epoch messageId } \
    ... on ChunkProduced { messageId runId epoch index kind delta } \
    ... on MessageCompleted { messageId text finishReason } ... on MessageFailed { messageId text reason } \
    ... on MessageStopped { messageId text usage { inputTokens outputTokens } } ... on TurnStopped { turnId by } \
    ... on TurnPlanned { turnId plan reason } ... on ToolCallRequested { toolCallId runId tool arguments needsApproval } \
    ... on ToolCallApproved { toolCallId by editedArguments } ... on ToolCallRejected { toolCallId by why: reason } \
    ... on ToolCallStarted { toolCallId epoch } ... on ToolCallCompleted { toolCallId result } \
    ... on ToolCallFailed { toolCallId error } ... on ToolCallUncertain { toolCallId } \
    ... on ConversationRenamed { title } ... on ParticipantAdded { person by } ... on ParticipantRemoved { person by }";

/// A person at one gateway.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// `http://127.0.0.1:…`
    pub address: String,
    /// A token that is good for an hour.
    pub token: String,
}

/// What `sendMessage` answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The conversation.
    pub conversation: String,
    /// The message.
    pub message: String,
    /// Just after the message.
    pub cursor: String,
}

/// A token for a person.
///
/// # Panics
/// The library cannot sign.
#[must_use]
pub fn token(person: &str, tenant: &str, lifetime: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let claims = json!({ "sub": person, "tenant": tenant, "exp": (now + lifetime).as_secs() });
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a token")
}

impl Client {
    /// A person of the default tenant.
    ///
    /// # Panics
    /// No client can be made.
    #[must_use]
    pub fn new(address: &str, person: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(5));
        let http = http.build().expect("an HTTP client");
        Self { http, address: address.to_owned(), token: token(person, "default", Duration::from_secs(3600)) }
    }

    /// The same person, whose requests belong to this trace.
    ///
    /// # Panics
    /// It is no header, or no client can be made.
    #[must_use]
    pub fn traced(mut self, traceparent: &str) -> Self {
        let header = ("traceparent".parse().expect("a name"), traceparent.parse().expect("a value"));
        let http = reqwest::Client::builder().no_proxy().default_headers([header].into_iter().collect());
        self.http = http.build().expect("an HTTP client");
        self
    }

    /// One request over HTTP.
    ///
    /// # Errors
    /// The gateway does not answer, or not with JSON.
    pub async fn graphql(&self, query: &str, variables: Value) -> Result<Value, String> {
        let request = self.http.post(format!("{}/graphql", self.address)).bearer_auth(&self.token).timeout(PATIENCE);
        let request = request.json(&json!({ "query": query, "variables": variables }));
        let answer = request.send().await.map_err(|error| error.to_string())?;
        answer.json().await.map_err(|error| error.to_string())
    }

    /// As [`graphql`](Self::graphql): the data of an answer without errors.
    ///
    /// # Panics
    /// There is none.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let answer = self.graphql(query, variables).await.expect("an answer");
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].clone()
    }

    /// One mutation with this input; its payload, also where a rule said no.
    ///
    /// # Panics
    /// There is none.
    pub async fn change(&self, mutation: &str, input_type: &str, fields: &str, input: Value) -> Value {
        let query = format!(
            "mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ {fields} cursor errors {{ code }} }} }}"
        );
        self.ask(&query, json!({ "input": input })).await[mutation].take()
    }

    /// Starts a conversation with these agents; `None` lets the default one answer.
    pub async fn start_conversation(&self, agents: Option<&[&str]>) -> String {
        let query = "mutation($agents: [String!]) { startConversation(input: { agents: $agents }) { conversation { id } errors { code } } }";
        let data = self.ask(query, json!({ "agents": agents })).await;
        text(&data["startConversation"]["conversation"]["id"])
    }

    /// Sends a message; without a conversation it starts one.
    ///
    /// # Errors
    /// It may not have been accepted: the gateway did not answer, or answered with an error. A rejection is an error too.
    pub async fn try_send(&self, conversation: Option<&str>, words: &str, key: Option<&str>) -> Result<Sent, String> {
        let query = "mutation($c: ID, $t: String!, $k: String) { sendMessage(input: { conversationId: $c, text: $t, idempotencyKey: $k }) \
             { message { id } conversation { id } cursor errors { code } } }";
        let answer = self.graphql(query, json!({ "c": conversation, "t": words, "k": key })).await?;
        let payload = &answer["data"]["sendMessage"];
        match (payload["message"]["id"].as_str(), payload["conversation"]["id"].as_str(), payload["cursor"].as_str()) {
            (Some(message), Some(conversation), Some(cursor)) => {
                Ok(Sent { conversation: conversation.into(), message: message.into(), cursor: cursor.into() })
            }
            _ => Err(answer.to_string()),
        }
    }

    /// As [`try_send`](Self::try_send).
    ///
    /// # Panics
    /// It was not accepted.
    pub async fn send(&self, conversation: Option<&str>, words: &str) -> Sent {
        self.try_send(conversation, words, None).await.expect("an accepted message")
    }

    /// Follows a conversation over server-sent events.
    pub async fn updates(&self, conversation: &str, after: Option<&str>) -> Updates {
        self.try_updates(conversation, after).await.expect("a subscription")
    }

    /// As [`updates`](Self::updates).
    ///
    /// # Errors
    /// The gateway does not answer.
    pub async fn try_updates(&self, conversation: &str, after: Option<&str>) -> Result<Updates, String> {
        let query = format!(
            "subscription($c: ID!, $a: Cursor) {{ conversationUpdates(conversationId: $c, after: $a) {{ {UPDATE} }} }}"
        );
        self.subscribe(&query, json!({ "c": conversation, "a": after })).await
    }

    /// Follows one message over server-sent events.
    pub async fn message_updates(&self, message: &str, after: Option<&str>) -> Updates {
        let query =
            format!("subscription($m: ID!, $a: Cursor) {{ messageUpdates(messageId: $m, after: $a) {{ {UPDATE} }} }}");
        self.subscribe(&query, json!({ "m": message, "a": after })).await.expect("a subscription")
    }

    async fn subscribe(&self, query: &str, variables: Value) -> Result<Updates, String> {
        let request = self.http.post(format!("{}/graphql", self.address)).bearer_auth(&self.token);
        let request =
            request.header("accept", "text/event-stream").json(&json!({ "query": query, "variables": variables }));
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let bytes = answer.bytes_stream().map(|piece| piece.map_err(|error| error.to_string()));
        Ok(Updates { bytes: Box::pin(bytes), buffer: Vec::new() })
    }

    /// Follows a conversation over `graphql-transport-ws`, until `enough` says so.
    ///
    /// # Panics
    /// The socket is refused, or is silent for too long.
    pub async fn socket_updates(&self, conversation: &str, after: &str, enough: impl Fn(&Value) -> bool) -> Vec<Value> {
        let url = format!("{}/graphql/ws", self.address.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a request");
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().expect("a header"));
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("a socket");
        let query = format!(
            "subscription($c: ID!, $a: Cursor) {{ conversationUpdates(conversationId: $c, after: $a) {{ {UPDATE} }} }}"
        );
        let payload = json!({ "query": query, "variables": { "c": conversation, "a": after } });
        let init =
            json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", self.token) } });
        let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
        for frame in [init, subscribe] {
            socket.send(Message::text(frame.to_string())).await.expect("a frame sent");
        }
        let mut updates = Vec::new();
        loop {
            let frame = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame in time");
            let frame = frame.expect("an open socket").expect("a frame");
            let Message::Text(text) = frame else { continue };
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            if frame["type"] == "next" {
                let update = frame["payload"]["data"]["conversationUpdates"].clone();
                let last = enough(&update);
                updates.push(update);
                if last {
                    return updates;
                }
            }
        }
    }
}

/// A subscription over server-sent events.
pub struct Updates {
    bytes: futures::stream::BoxStream<'static, Result<axum::body::Bytes, String>>,
    buffer: Vec<u8>,
}

impl Updates {
    /// The next update; `None` at the end, whether the server completed it or the connection broke.
    ///
    /// # Panics
    /// The subscription answers with errors, or is silent for too long.
    pub async fn next(&mut self) -> Option<Value> {
        let next = tokio::time::timeout(PATIENCE, self.next_result()).await;
        let result = next.expect("an update in time")?;
        assert!(result.get("errors").is_none(), "{result}");
        Some(result["data"].as_object()?.values().next()?.clone())
    }

    /// The next execution result as it was sent.
    pub async fn next_result(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let event = String::from_utf8_lossy(&event);
                if event.lines().any(|line| line == "event: complete") {
                    return None;
                }
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                if let Some(data) = data.map(str::trim).filter(|data| !data.is_empty()) {
                    return serde_json::from_str(data).ok();
                }
                continue;
            }
            self.buffer.extend_from_slice(&self.bytes.next().await?.ok()?);
        }
    }

    /// Updates up to and with the first one that `last` accepts.
    ///
    /// # Panics
    /// The stream ends before.
    pub async fn until(&mut self, last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut updates = Vec::new();
        loop {
            let update = self.next().await.expect("the stream goes on");
            let done = last(&update);
            updates.push(update);
            if done {
                return updates;
            }
        }
    }
}

/// Whether it is the end of a message.
#[must_use]
pub fn is_end(update: &Value) -> bool {
    matches!(update["__typename"].as_str(), Some("MessageCompleted" | "MessageFailed" | "MessageStopped"))
}

/// Whether it is the end of a turn: nothing more follows from the message that began it.
#[must_use]
pub fn is_turn_end(update: &Value) -> bool {
    matches!(update["__typename"].as_str(), Some("TurnCompleted" | "TurnFailed" | "TurnStopped"))
}

/// A JSON string's text.
///
/// # Panics
/// It is none.
#[must_use]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}
