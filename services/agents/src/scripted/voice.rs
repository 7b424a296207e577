//! What both protocols say, each in its own words.

use serde_json::{Value, json};

use super::{Act, head, send};
use crate::settings::ProviderKind::{self, Anthropic, OpenAi};

/// Both of them.
pub(crate) const KINDS: [ProviderKind; 2] = [OpenAi, Anthropic];

/// One event of the stream.
fn event(kind: ProviderKind, data: &Value) -> Act {
    match kind {
        OpenAi => send(&format!("data: {data}\n\n")),
        Anthropic => send(&format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())),
    }
}

fn delta(kind: ProviderKind, index: u64, delta: &Value) -> Act {
    match kind {
        OpenAi => event(kind, &json!({"choices": [{"index": 0, "delta": delta}]})),
        Anthropic => event(kind, &json!({"type": "content_block_delta", "index": index, "delta": delta})),
    }
}

/// What comes before the first word: a prompt of 9 tokens, 4 of them cached.
pub(crate) fn begin(kind: ProviderKind) -> Act {
    match kind {
        OpenAi => delta(kind, 0, &json!({"role": "assistant", "content": ""})),
        Anthropic => {
            let usage = json!({"input_tokens": 3, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 4, "output_tokens": 1});
            event(kind, &json!({"type": "message_start", "message": {"id": "msg", "content": [], "usage": usage}}))
        }
    }
}

/// A sign of life that says nothing.
pub(crate) fn ping(kind: ProviderKind) -> Act {
    match kind {
        OpenAi => send(": still here\n\n"),
        Anthropic => event(kind, &json!({"type": "ping"})),
    }
}

pub(crate) fn text(kind: ProviderKind, text: &str) -> Act {
    match kind {
        OpenAi => delta(kind, 0, &json!({"content": text})),
        Anthropic => delta(kind, 0, &json!({"type": "text_delta", "text": text})),
    }
}

pub(crate) fn reasoning(kind: ProviderKind, text: &str) -> Act {
    match kind {
        OpenAi => delta(kind, 0, &json!({"reasoning_content": text})),
        Anthropic => delta(kind, 0, &json!({"type": "thinking_delta", "thinking": text})),
    }
}

pub(crate) fn call(kind: ProviderKind, index: u64, id: &str, name: &str) -> Act {
    match kind {
        OpenAi => {
            let function = json!({"name": name, "arguments": ""});
            delta(
                kind,
                0,
                &json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}),
            )
        }
        Anthropic => {
            let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
            event(kind, &json!({"type": "content_block_start", "index": index, "content_block": block}))
        }
    }
}

pub(crate) fn arguments(kind: ProviderKind, index: u64, fragment: &str) -> Act {
    match kind {
        OpenAi => delta(kind, 0, &json!({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]})),
        Anthropic => delta(kind, index, &json!({"type": "input_json_delta", "partial_json": fragment})),
    }
}

/// Why it ended, in the words of OpenAI.
pub(crate) fn finish(kind: ProviderKind, reason: &str) -> Act {
    match kind {
        OpenAi => event(kind, &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})),
        Anthropic => {
            let delta = json!({"stop_reason": stop_reason(reason)});
            event(kind, &json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}}))
        }
    }
}

/// The stream's last words; figures for the whole answer, where they were not said before.
pub(crate) fn goodbye(kind: ProviderKind) -> Act {
    match kind {
        OpenAi => {
            let usage =
                json!({"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}});
            send(&format!("data: {}\n\ndata: [DONE]\n\n", json!({"choices": [], "usage": usage})))
        }
        Anthropic => event(kind, &json!({"type": "message_stop"})),
    }
}

pub(crate) fn error(kind: ProviderKind, name: &str, message: &str) -> Act {
    let error = json!({"type": name, "message": message});
    match kind {
        OpenAi => event(kind, &json!({"error": error})),
        Anthropic => event(kind, &json!({"type": "error", "error": error})),
    }
}

/// A response in one piece.
pub(crate) fn whole(kind: ProviderKind, text: &str) -> Vec<Act> {
    let body = match kind {
        OpenAi => json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 5}}),
        Anthropic => json!({"type": "message", "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 9, "output_tokens": 5}}),
    };
    let body = body.to_string();
    let headers = format!("content-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n", body.len());
    vec![head("200 OK", &headers), send(&body), Act::Hang]
}

fn stop_reason(reason: &str) -> &str {
    match reason {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        other => other,
    }
}
