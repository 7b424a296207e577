//! Anthropic's Messages: the request. Of the answer `decode` knows.
//!
//! It is stricter than chat completions: roles take turns, results of tools come right after the message that asked for them, no
//! text is empty, and the first and the last word are the user's.

pub(super) mod decode;
mod schema;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Number, Value, json};

use crate::prompt::{Line, Prompt, ToolOffer, ToolUse};

/// Under the server's root.
pub(super) const PATH: &str = "/v1/messages";
/// The version of the protocol that we speak.
pub(super) const VERSION: &str = "2023-06-01";

/// The user's word where there is none.
const GO_ON: &str = "Go on.";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<Message>,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: Vec<Value>,
}

/// The request for a prompt; its answer has at most `max_tokens`, unless the prompt says otherwise.
pub(super) fn body(model: &str, prompt: &Prompt, max_tokens: u32) -> Bytes {
    let mut system: Vec<String> = prompt.lines.iter().filter_map(system).collect();
    let strict = prompt.response_schema.as_ref().and_then(schema::strict);
    if let Some(schema) = prompt.response_schema.as_ref().filter(|_| strict.is_none()) {
        system.push(format!(
            "Answer with JSON alone, without any other word, that is valid by this JSON Schema:\n{schema}"
        ));
    }
    let format = |schema| json!({"format": {"type": "json_schema", "schema": schema}});
    let body = Body {
        model,
        max_tokens: prompt.max_output_tokens.unwrap_or(max_tokens),
        system: system.join("\n\n"),
        messages: messages(&prompt.lines),
        stream: true,
        tools: prompt.tools.iter().map(tool).collect(),
        temperature: prompt.temperature.as_ref(),
        output_config: strict.map(format),
    };
    serde_json::to_vec(&body).unwrap_or_default().into()
}

fn system(line: &Line) -> Option<String> {
    if let Line::System(text) = line { Some(text.clone()) } else { None }
}

fn messages(lines: &[Line]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for line in lines {
        let (role, blocks) = match line {
            Line::System(_) => continue,
            Line::User(said) => ("user", text(said).into_iter().collect()),
            Line::Result { call, text, is_error } => ("user", vec![result(call, text, *is_error)]),
            Line::Assistant { text: said, calls } => {
                ("assistant", text(said).into_iter().chain(calls.iter().map(call)).collect())
            }
        };
        add(&mut messages, role, blocks);
    }
    let user = || Message { role: "user", content: text(GO_ON).into_iter().collect() };
    if messages.first().is_none_or(|first| first.role != "user") {
        messages.insert(0, user());
    }
    if messages.last().is_some_and(|last| last.role != "user") {
        messages.push(user());
    }
    messages
}

/// Adds blocks, to the last message where it is of the same role. Results of tools go before whatever else the user said.
fn add(messages: &mut Vec<Message>, role: &'static str, blocks: Vec<Value>) {
    if blocks.is_empty() {
        return;
    }
    match messages.last_mut().filter(|last| last.role == role) {
        Some(last) => last.content.extend(blocks),
        None => messages.push(Message { role, content: blocks }),
    }
    if let Some(last) = messages.last_mut().filter(|_| role == "user") {
        last.content.sort_by_key(|block| block["type"] != "tool_result");
    }
}

fn text(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}))
}

fn result(call: &str, text: &str, is_error: bool) -> Value {
    let mut block = json!({"type": "tool_result", "tool_use_id": call, "content": text});
    if is_error {
        block["is_error"] = Value::Bool(true);
    }
    block
}

fn call(call: &ToolUse) -> Value {
    // Arguments that are no object were refused, and the model is to see what it said.
    let input = serde_json::from_str(&call.arguments).ok().filter(Value::is_object);
    let input = input.unwrap_or_else(|| json!({"invalid": call.arguments}));
    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
}

fn tool(tool: &ToolOffer) -> Value {
    json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(prompt: &Prompt) -> Value {
        serde_json::from_slice(&body("claude", prompt, 8192)).unwrap()
    }

    fn of(lines: Vec<Line>) -> Prompt {
        Prompt { lines, ..Prompt::default() }
    }

    fn assistant(text: &str, calls: &[(&str, &str)]) -> Line {
        let call = |(id, arguments): &(&str, &str)| ToolUse {
            id: (*id).into(),
            name: "find".into(),
            arguments: (*arguments).into(),
        };
        Line::Assistant { text: text.into(), calls: calls.iter().map(call).collect() }
    }

    #[test]
    fn what_is_not_set_is_not_sent_but_a_limit_is() {
        let prompt = of(vec![Line::User("Hi".into())]);
        let expected = r#"{"model":"claude","max_tokens":8192,"messages":[{"role":"user","content":[{"text":"Hi","type":"text"}]}],"stream":true}"#;
        assert_eq!(body("claude", &prompt, 8192), expected);
        assert_eq!(body("claude", &prompt, 8192), body("claude", &prompt.clone(), 8192));
    }

    #[test]
    fn lines_of_one_role_become_one_message_and_results_come_first() {
        let prompt = of(vec![
            Line::System("Be brief.".into()),
            Line::User("One".into()),
            Line::User("Two".into()),
            assistant("Let me see", &[("a", "{\"q\":1}"), ("b", "nonsense")]),
            Line::User("Also this".into()),
            Line::Result { call: "a".into(), text: "found".into(), is_error: false },
            Line::Result { call: "b".into(), text: "no JSON".into(), is_error: true },
            Line::System("Be kind.".into()),
        ]);
        let sent = sent(&prompt);
        assert_eq!(sent["system"], "Be brief.\n\nBe kind.");
        let expected = json!([
            {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "Let me see"},
                {"type": "tool_use", "id": "a", "name": "find", "input": {"q": 1}},
                {"type": "tool_use", "id": "b", "name": "find", "input": {"invalid": "nonsense"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "found"},
                {"type": "tool_result", "tool_use_id": "b", "content": "no JSON", "is_error": true},
                {"type": "text", "text": "Also this"},
            ]},
        ]);
        assert_eq!(sent["messages"], expected);
    }

    #[test]
    fn the_first_and_the_last_word_are_the_user_s_and_none_is_empty() {
        let user = json!({"role": "user", "content": [{"type": "text", "text": "Go on."}]});
        assert_eq!(sent(&of(vec![Line::System("Begin".into())]))["messages"], json!([user]));
        let answer = json!({"role": "assistant", "content": [{"type": "text", "text": "done"}]});
        let sent = sent(&of(vec![Line::User(" ".into()), assistant("done", &[]), assistant("", &[])]));
        assert_eq!(sent["messages"], json!([user, answer, user]));
    }

    #[test]
    fn tools_and_limits_are_sent() {
        let tool =
            ToolOffer { name: "find".into(), description: "Finds".into(), parameters: json!({"type": "object"}) };
        let prompt = Prompt {
            tools: vec![tool],
            temperature: Number::from_f64(0.5),
            max_output_tokens: Some(100),
            ..of(vec![Line::User("Hi".into())])
        };
        let sent = sent(&prompt);
        let tool = json!({"name": "find", "description": "Finds", "input_schema": {"type": "object"}});
        assert_eq!(sent["tools"], json!([tool]));
        assert_eq!((&sent["temperature"], &sent["max_tokens"]), (&json!(0.5), &json!(100)));
    }

    #[test]
    fn a_schema_is_a_format_where_the_server_takes_it_and_else_an_instruction() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
        let ask = |schema| sent(&Prompt { response_schema: Some(schema), ..of(vec![Line::User("Hi".into())]) });
        let mut closed = schema.clone();
        closed["additionalProperties"] = json!(false);
        let taken = ask(schema);
        assert_eq!(taken["output_config"], json!({"format": {"type": "json_schema", "schema": closed}}));
        assert_eq!(taken["system"], Value::Null);
        let not_taken = ask(json!({"type": "integer", "minimum": 3}));
        assert_eq!(not_taken["output_config"], Value::Null);
        assert!(not_taken["system"].as_str().unwrap().ends_with(r#"{"minimum":3,"type":"integer"}"#));
    }
}
