use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::node::Node;
use crate::scribe::Scribe;

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(node: &Node, path: &str) -> Self {
        let mut request = format!("ws://{}{path}", node.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let (socket, response) = connect_async(request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
        Self(socket)
    }

    /// One that is in.
    async fn of(node: &Node, subject: &str) -> Self {
        let mut socket = Self::open(node, "/graphql/ws").await;
        socket.init(&node.token(subject, Duration::from_secs(600))).await;
        socket
    }

    async fn init(&mut self, token: &str) {
        self.say(json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } })).await;
        assert_eq!(self.hear().await, json!({ "type": "connection_ack" }));
    }

    async fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        loop {
            match timeout(Duration::from_secs(10), self.0.next()).await.expect("a frame").expect("a socket").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    async fn hear(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("a text frame was expected: {other:?}"),
        }
    }

    async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                let frame = frame.expect("a reason");
                assert!(frame.reason.len() <= 123);
                return frame.code.into();
            }
        }
    }
}

fn subscribe(id: &str, query: &str, variables: &Value) -> Value {
    json!({ "id": id, "type": "subscribe", "payload": { "query": query, "variables": variables } })
}

const UPDATES: &str = "subscription ($id: ID!, $after: Cursor) { \
    conversationUpdates(conversationId: $id, after: $after) { __typename cursor ... on ChunkProduced { delta } } }";

#[tokio::test]
async fn an_answer_streams_over_a_socket_and_both_paths_lead_there() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let (message, _) = node.say(conversation, "hello").await;
    let mut scribe = Scribe::begin(&node, conversation, message).await;
    for path in ["/graphql/ws", "/graphql"] {
        let mut socket = Socket::open(&node, path).await;
        socket.init(&node.token("alice", Duration::from_secs(60))).await;
        socket.say(subscribe("1", UPDATES, &json!({ "id": conversation, "after": "4" }))).await;
        let update = socket.hear().await;
        assert_eq!((&update["id"], &update["type"]), (&json!("1"), &json!("next")));
        assert_eq!(update["payload"]["data"]["conversationUpdates"]["__typename"], "AgentStarted");
        scribe.write("word").await;
        assert_eq!(socket.hear().await["payload"]["data"]["conversationUpdates"]["delta"], "word");
        socket.say(json!({ "id": "1", "type": "complete" })).await;
        // The id is free again, and nothing of the first is heard any more.
        socket.say(subscribe("1", "{ viewer { id } }", &json!({}))).await;
        loop {
            let frame = socket.hear().await;
            if frame["payload"]["data"]["viewer"]["id"] == "alice" {
                break;
            }
        }
        assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "1" }));
    }
}

#[tokio::test]
async fn queries_mutations_and_errors_have_their_frames() {
    let node = Node::start().await;
    let mut socket = Socket::of(&node, "alice").await;
    socket.say(json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong", "payload": { "a": 1 } }));
    let mutation = "mutation { startConversation(input: {}) { conversation { id } } }";
    socket.say(subscribe("m", mutation, &json!({}))).await;
    assert!(socket.hear().await["payload"]["data"]["startConversation"]["conversation"]["id"].is_string());
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "m" }));
    socket.say(subscribe("v", "{ nonsense }", &json!({}))).await;
    let error = socket.hear().await;
    assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("v")));
    assert_eq!(error["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let unknown = json!({ "id": events::ConversationId::generate() });
    socket.say(subscribe("n", UPDATES, &unknown)).await;
    let error = socket.hear().await;
    assert_eq!(error["type"], "next");
    assert_eq!(error["payload"]["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "n" }));
}

#[tokio::test]
async fn a_socket_carries_64_operations() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let mut socket = Socket::of(&node, "alice").await;
    for number in 0..64 {
        socket.say(subscribe(&number.to_string(), UPDATES, &json!({ "id": conversation }))).await;
    }
    socket.say(subscribe("64", "{ viewer { id } }", &json!({}))).await;
    let error = socket.hear().await;
    assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("64")));
    assert_eq!(error["payload"][0]["extensions"]["code"], "RATE_LIMITED");
}

#[tokio::test]
async fn whoever_breaks_the_protocol_is_told_how() {
    let node = Node::start().await;
    let conversation = node.conversation().await;
    let init = json!({ "type": "connection_init", "payload": {} });
    let twice = subscribe("1", UPDATES, &json!({ "id": conversation }));
    let broken: [(u16, Vec<Message>); 7] = [
        (4400, vec![Message::text("not json")]),
        (4400, vec![Message::text(json!({ "type": "nonsense" }).to_string())]),
        (4400, vec![Message::binary(vec![1, 2, 3])]),
        (4401, vec![Message::text(subscribe("1", "{ viewer { id } }", &json!({})).to_string())]),
        (
            4403,
            vec![Message::text(
                json!({ "type": "connection_init", "payload": { "authorization": "Bearer x" } }).to_string(),
            )],
        ),
        (4429, vec![Message::text(init.to_string()), Message::text(init.to_string())]),
        (4400, vec![Message::text(format!("\"{}\"", "x".repeat(300 << 10)))]),
    ];
    for (code, frames) in broken {
        let mut socket = Socket::open(&node, "/graphql/ws").await;
        for frame in frames {
            socket.0.send(frame).await.unwrap();
        }
        assert_eq!(socket.close_code().await, code);
    }
    let mut socket = Socket::of(&node, "alice").await;
    socket.say(twice.clone()).await;
    socket.say(twice).await;
    assert_eq!(socket.close_code().await, 4409);
}

#[tokio::test]
async fn a_socket_ends_when_nobody_introduces_themselves_the_token_ends_or_the_node_stops() {
    let node = Node::start().await;
    let mut silent = Socket::open(&node, "/graphql/ws").await;
    let mut short = Socket::open(&node, "/graphql/ws").await;
    short.init(&node.token("alice", Duration::from_secs(1))).await;
    let mut long = Socket::of(&node, "alice").await;
    assert_eq!(short.close_code().await, 4403);
    assert_eq!(silent.close_code().await, 4408);
    node.stop.cancel();
    assert_eq!(long.close_code().await, 1012);
}

#[tokio::test]
async fn without_a_token_a_socket_opens_and_fields_are_refused() {
    let node = Node::start().await;
    let mut socket = Socket::open(&node, "/graphql/ws").await;
    socket.say(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
    socket.say(subscribe("1", "{ viewer { id } }", &json!({}))).await;
    assert_eq!(socket.hear().await["payload"]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}
