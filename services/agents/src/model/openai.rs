//! OpenAI's chat completions: the request. Of the answer `decode` knows.

pub(super) mod decode;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Number, Value, json};

use crate::prompt::{Line, Prompt, ToolOffer, ToolUse};

/// Under `<base_url>`.
pub(super) const PATH: &str = "/chat/completions";

/// The name that the protocol wants for a schema.
const SCHEMA: &str = "answer";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    /// Null where a model asked for tools without a word.
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
}

/// The request for a prompt.
pub(super) fn body(model: &str, prompt: &Prompt) -> Bytes {
    let format =
        |schema| json!({"type": "json_schema", "json_schema": {"name": SCHEMA, "strict": false, "schema": schema}});
    let body = Body {
        model,
        messages: prompt.lines.iter().map(message).collect(),
        stream: true,
        stream_options: json!({"include_usage": true}),
        tools: prompt.tools.iter().map(tool).collect(),
        response_format: prompt.response_schema.as_ref().map(format),
        temperature: prompt.temperature.as_ref(),
        max_completion_tokens: prompt.max_output_tokens,
    };
    serde_json::to_vec(&body).unwrap_or_default().into()
}

fn message(line: &Line) -> Message<'_> {
    let plain = |role, text| Message { role, tool_call_id: None, content: Some(text), tool_calls: Vec::new() };
    match line {
        Line::System(text) => plain("system", text),
        Line::User(text) => plain("user", text),
        Line::Assistant { text, calls } => Message {
            content: Some(text.as_str()).filter(|text| !text.is_empty() || calls.is_empty()),
            tool_calls: calls.iter().map(call).collect(),
            ..plain("assistant", text)
        },
        Line::Result { call, text, is_error: _ } => Message { tool_call_id: Some(call), ..plain("tool", text) },
    }
}

fn call(call: &ToolUse) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

fn tool(tool: &ToolOffer) -> Value {
    let function = json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
    json!({"type": "function", "function": function})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(prompt: &Prompt) -> String {
        String::from_utf8(body("small", prompt).to_vec()).unwrap()
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let prompt = Prompt { lines: vec![Line::User("Hi".into())], ..Prompt::default() };
        let expected = r#"{"model":"small","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}"#;
        assert_eq!(said(&prompt), expected);
        assert_eq!(body("small", &prompt), body("small", &prompt.clone()));
    }

    #[test]
    fn tools_their_calls_and_their_results_are_sent() {
        let call = ToolUse { id: "call_1".into(), name: "find".into(), arguments: "{\"q\":1}".into() };
        let prompt = Prompt {
            lines: vec![
                Line::System("Be brief.".into()),
                Line::Assistant { text: String::new(), calls: vec![call] },
                Line::Result { call: "call_1".into(), text: "none".into(), is_error: true },
            ],
            tools: vec![ToolOffer {
                name: "find".into(),
                description: "Finds".into(),
                parameters: json!({"type": "object"}),
            }],
            temperature: Number::from_f64(0.5),
            response_schema: Some(json!({"type": "object"})),
            max_output_tokens: Some(100),
        };
        let sent: Value = serde_json::from_str(&said(&prompt)).unwrap();
        let expected = json!([
            {"role": "system", "content": "Be brief."},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{\"q\":1}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "none"},
        ]);
        assert_eq!(sent["messages"], expected);
        let function = json!({"name": "find", "description": "Finds", "parameters": {"type": "object"}});
        assert_eq!(sent["tools"], json!([{"type": "function", "function": function}]));
        let schema = json!({"name": "answer", "strict": false, "schema": {"type": "object"}});
        assert_eq!(sent["response_format"], json!({"type": "json_schema", "json_schema": schema}));
        assert_eq!((&sent["temperature"], &sent["max_completion_tokens"]), (&json!(0.5), &json!(100)));
    }
}
