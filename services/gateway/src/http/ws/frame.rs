//! The frames of the protocol.

use async_graphql::{Request, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::http::body;

/// What a client says.
pub(super) enum Heard {
    Init(Map<String, Value>),
    Ping(Option<Value>),
    Pong,
    Subscribe { id: String, request: Box<Request> },
    Complete { id: String },
}

/// What we say.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Said<'a> {
    ConnectionAck,
    Ping,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    Next {
        id: &'a str,
        payload: &'a Response,
    },
    Error {
        id: &'a str,
        payload: &'a [async_graphql::ServerError],
    },
    Complete {
        id: &'a str,
    },
}

impl Said<'_> {
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Reads a frame; what is none is said in a few words.
pub(super) fn read(text: &str) -> Result<Heard, &'static str> {
    let Ok(Value::Object(mut frame)) = serde_json::from_str(text) else { return Err("a frame must be a JSON object") };
    let Some(Value::String(kind)) = frame.remove("type") else { return Err("a frame must have a type") };
    let payload = frame.remove("payload").filter(|payload| !payload.is_null());
    match kind.as_str() {
        "connection_init" => object(payload).map(|payload| Heard::Init(payload.unwrap_or_default())),
        "ping" => Ok(Heard::Ping(object(payload)?.map(Value::Object))),
        "pong" => object(payload).map(|_| Heard::Pong),
        "subscribe" => {
            let payload = object(payload)?.ok_or("subscribe must have a payload")?;
            let request = body::request(payload).map_err(|malformed| malformed.message)?;
            Ok(Heard::Subscribe { id: id(&mut frame)?, request: Box::new(request) })
        }
        "complete" => Ok(Heard::Complete { id: id(&mut frame)? }),
        _ => Err("a frame has an unknown type"),
    }
}

fn id(frame: &mut Map<String, Value>) -> Result<String, &'static str> {
    match frame.remove("id") {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        _ => Err("the frame must have an id"),
    }
}

fn object(payload: Option<Value>) -> Result<Option<Map<String, Value>>, &'static str> {
    match payload {
        None => Ok(None),
        Some(Value::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err("the payload must be an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_frame_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"nonsense"}"#,
            r#"{"type":"ping","payload":"text"}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert!(read(text).is_err_and(|reason| reason.len() <= 123), "{text}");
        }
    }

    #[test]
    fn frames_are_read_and_written() {
        assert!(matches!(read(r#"{"type":"connection_init"}"#), Ok(Heard::Init(payload)) if payload.is_empty()));
        assert!(matches!(read(r#"{"type":"ping","payload":null}"#), Ok(Heard::Ping(None))));
        let heard = read(r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","extensions":{}}}"#);
        assert!(matches!(heard, Ok(Heard::Subscribe { id, request }) if id == "1" && request.query == "{a}"));
        assert_eq!(Said::ConnectionAck.text(), r#"{"type":"connection_ack"}"#);
        assert_eq!(Said::Pong { payload: None }.text(), r#"{"type":"pong"}"#);
        assert_eq!(Said::Complete { id: "1" }.text(), r#"{"type":"complete","id":"1"}"#);
    }
}
