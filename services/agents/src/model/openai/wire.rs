//! The JSON of an answer, as far as we read it. Servers differ, so what is missing or of another form is passed over.

use serde_json::Value;

use events::{ChunkKind, FinishReason, Usage};

use super::Said;

/// What one event of a stream says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) pieces: Vec<(ChunkKind, String)>,
    pub(super) finish: Option<FinishReason>,
    pub(super) usage: Option<Usage>,
}

/// Why an event is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is not JSON, or not of the form.
    Garbage,
    /// The server says that it failed; in its words.
    Error(String),
}

/// One event of a stream.
pub(super) fn chunk(data: &str) -> Result<Chunk, Wrong> {
    read(data, "delta")
}

/// An answer that came in one piece.
pub(super) fn whole(body: &str) -> Result<Vec<Said>, Wrong> {
    let chunk = read(body, "message")?;
    let finish = chunk.finish.unwrap_or(FinishReason::Stop);
    let pieces = chunk.pieces.into_iter().map(|(kind, text)| Said::Piece(kind, text));
    Ok(pieces.chain(chunk.usage.map(Said::Usage)).chain([Said::Finished(finish)]).collect())
}

/// What a server says about an error: `{"error":{"message":…}}`, `{"error":"…"}`, `{"message":…}` or `{"detail":…}`.
pub(super) fn error_message(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(&body);
    let text = error.as_str().or_else(|| ["message", "detail"].iter().find_map(|key| error.get(*key)?.as_str()));
    text.map(str::to_owned)
}

fn read(data: &str, holder: &str) -> Result<Chunk, Wrong> {
    let value: Value = serde_json::from_str(data).map_err(|_| Wrong::Garbage)?;
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(Wrong::Error(error_message(data).unwrap_or_default()));
    }
    let choices = value.get("choices").and_then(Value::as_array);
    let usage = value.get("usage").filter(|usage| usage.is_object()).map(self::usage);
    if choices.is_none() && usage.is_none() {
        return Err(Wrong::Garbage);
    }
    let Some(choice) = choices.and_then(|choices| choices.first()) else {
        return Ok(Chunk { usage, ..Chunk::default() });
    };
    let delta = choice.get(holder).unwrap_or(&Value::Null);
    let reasoning = ["reasoning_content", "reasoning"].iter().find_map(|key| text(delta, key));
    let answer = ["content", "refusal"].iter().find_map(|key| text(delta, key));
    let pieces = [(ChunkKind::Reasoning, reasoning), (ChunkKind::Text, answer)];
    let pieces = pieces.into_iter().filter_map(|(kind, text)| Some((kind, text?))).collect();
    let finish = choice.get("finish_reason").and_then(Value::as_str).map(finish_reason);
    Ok(Chunk { pieces, finish, usage })
}

/// A text that is there and not empty.
fn text(delta: &Value, key: &str) -> Option<String> {
    delta.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}

fn usage(usage: &Value) -> Usage {
    let number = |pointer: &str| {
        let number = usage.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        u32::try_from(number).unwrap_or(u32::MAX)
    };
    Usage {
        input_tokens: number("/prompt_tokens"),
        output_tokens: number("/completion_tokens"),
        reasoning_tokens: number("/completion_tokens_details/reasoning_tokens"),
        cached_tokens: number("/prompt_tokens_details/cached_tokens"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_both_names_of_reasoning_are_read() {
        let read = chunk(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#).unwrap();
        assert_eq!(read, Chunk::default());
        let read = chunk(r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}"#).unwrap();
        assert_eq!(read.pieces, [(ChunkKind::Text, "Hi".into())]);
        for name in ["reasoning", "reasoning_content"] {
            let read = chunk(&format!(r#"{{"choices":[{{"delta":{{"{name}":"hm","content":null}}}}]}}"#)).unwrap();
            assert_eq!(read.pieces, [(ChunkKind::Reasoning, "hm".into())]);
        }
    }

    #[test]
    fn usage_comes_without_choices() {
        let data = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,
            "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#;
        let usage = Usage { input_tokens: 9, output_tokens: 5, reasoning_tokens: 2, cached_tokens: 4 };
        assert_eq!(chunk(data).unwrap(), Chunk { usage: Some(usage), ..Chunk::default() });
    }

    #[test]
    fn reasons_to_finish_are_mapped() {
        for (reason, expected) in [
            ("stop", FinishReason::Stop),
            ("length", FinishReason::Length),
            ("tool_calls", FinishReason::ToolCalls),
            ("content_filter", FinishReason::ContentFilter),
            ("eos", FinishReason::Stop),
        ] {
            let read = chunk(&format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#)).unwrap();
            assert_eq!(read.finish, Some(expected));
        }
    }

    #[test]
    fn errors_are_told_from_garbage() {
        let error = chunk(r#"{"error":{"message":"overloaded","type":"server_error"}}"#);
        assert_eq!(error, Err(Wrong::Error("overloaded".into())));
        assert_eq!(chunk(r#"{"error":"gone"}"#), Err(Wrong::Error("gone".into())));
        assert_eq!(chunk("{}"), Err(Wrong::Garbage));
        assert_eq!(chunk("<html>"), Err(Wrong::Garbage));
        assert_eq!(error_message(r#"{"detail":"no"}"#).as_deref(), Some("no"));
    }
}
