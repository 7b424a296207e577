//! The JSON of an answer, as far as we read it. Servers differ, so what is missing or of another form is passed over.

use serde_json::Value;

use events::{ChunkKind, FinishReason, Usage};

use crate::model::Said;
use crate::model::calls::Fragment;
use crate::model::decoder::{Decoder, Heard, Wrong, arguments, parse, piece, text, tokens};
use crate::model::server::DONE;

/// One event of a stream.
pub(in crate::model) fn event(decoder: &mut Decoder, data: &str) -> Result<Heard, Wrong> {
    match data {
        DONE => Ok(Heard { is_last: true, ..Heard::default() }),
        data => read(decoder, data, "delta"),
    }
}

/// An answer that came in one piece.
pub(in crate::model) fn whole(decoder: &mut Decoder, body: &str) -> Result<Heard, Wrong> {
    read(decoder, body, "message")
}

fn read(decoder: &mut Decoder, data: &str, holder: &str) -> Result<Heard, Wrong> {
    let value = parse(data)?;
    let choices = value.get("choices").and_then(Value::as_array);
    let usage = value.get("usage").filter(|usage| usage.is_object()).map(self::usage);
    if choices.is_none() && usage.is_none() {
        return Err(Wrong::Garbage);
    }
    let mut heard = Heard::default();
    if let Some(choice) = choices.and_then(|choices| choices.first()) {
        let delta = choice.get(holder).unwrap_or(&Value::Null);
        let reasoning = ["reasoning_content", "reasoning"].iter().find_map(|key| text(delta, key));
        let answer = ["content", "refusal"].iter().find_map(|key| text(delta, key));
        heard.said.extend(reasoning.map(|text| piece(ChunkKind::Reasoning, text)));
        heard.said.extend(answer.map(|text| piece(ChunkKind::Text, text)));
        let calls = delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
        for (place, call) in calls.enumerate() {
            heard.said.extend(self::call(decoder, place as u64, call)?);
        }
        heard.finish = choice.get("finish_reason").and_then(Value::as_str).map(finish_reason);
    }
    heard.said.extend(usage.map(Said::Usage));
    Ok(heard)
}

/// Part of a call, and its piece of arguments.
fn call(decoder: &mut Decoder, place: u64, call: &Value) -> Result<Option<Said>, Wrong> {
    let function = call.get("function").unwrap_or(&Value::Null);
    let arguments = arguments(function.get("arguments"));
    decoder.calls.add(Fragment {
        index: call.get("index").and_then(Value::as_u64).unwrap_or(place),
        id: text(call, "id").unwrap_or_default(),
        name: text(function, "name").unwrap_or_default(),
        arguments: &arguments,
    })?;
    Ok((!arguments.is_empty()).then_some(Said::Piece(ChunkKind::ToolCall, arguments)))
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
    let number = |pointer: &str| tokens(usage, pointer).unwrap_or_default();
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
    use crate::model::decoder::Complaint;
    use crate::prompt::{Prompt, ToolUse};
    use crate::settings::ProviderKind;

    fn decoder() -> Decoder {
        Decoder::new(ProviderKind::OpenAi, &Prompt::default())
    }

    fn chunk(data: &str) -> Result<Heard, Wrong> {
        event(&mut decoder(), data)
    }

    #[test]
    fn text_and_both_names_of_reasoning_are_read() {
        let read = chunk(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#).unwrap();
        assert_eq!(read, Heard::default());
        let read = chunk(r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}"#).unwrap();
        assert_eq!(read.said, [piece(ChunkKind::Text, "Hi")]);
        for name in ["reasoning", "reasoning_content"] {
            let read = chunk(&format!(r#"{{"choices":[{{"delta":{{"{name}":"hm","content":null}}}}]}}"#)).unwrap();
            assert_eq!(read.said, [piece(ChunkKind::Reasoning, "hm")]);
        }
    }

    #[test]
    fn usage_comes_without_choices() {
        let data = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,
            "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#;
        let usage = Usage { input_tokens: 9, output_tokens: 5, reasoning_tokens: 2, cached_tokens: 4 };
        assert_eq!(chunk(data).unwrap().said, [Said::Usage(usage)]);
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
        assert!(chunk("[DONE]").unwrap().is_last);
    }

    #[test]
    fn errors_are_told_from_garbage() {
        let error = chunk(r#"{"error":{"message":"overloaded","type":"server_error"}}"#);
        let complaint = |kind: &str, message: &str| Complaint { kind: kind.into(), message: message.into() };
        assert_eq!(error, Err(Wrong::Error(complaint("server_error", "overloaded"))));
        assert_eq!(chunk(r#"{"error":"gone"}"#), Err(Wrong::Error(complaint("", "gone"))));
        assert_eq!(chunk("{}"), Err(Wrong::Garbage));
        assert_eq!(chunk("<html>"), Err(Wrong::Garbage));
    }

    #[test]
    fn a_whole_answer_brings_whole_calls_also_where_arguments_are_no_text() {
        let body = r#"{"choices":[{"message":{"content":null,"tool_calls":[
            {"id":"a","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}},
            {"function":{"name":"read","arguments":{"path":"x"}}}]},"finish_reason":"stop"}]}"#;
        let mut decoder = decoder();
        let heard = whole(&mut decoder, body).unwrap();
        assert_eq!(heard.said.len(), 2);
        let call = |id: &str, name: &str, arguments: &str| {
            Said::Call(ToolUse { id: id.into(), name: name.into(), arguments: arguments.into() })
        };
        let expected = [
            call("a", "find", "{\"q\":1}"),
            call("call_1", "read", "{\"path\":\"x\"}"),
            Said::Finished(FinishReason::ToolCalls),
        ];
        assert_eq!(decoder.end(heard.finish).unwrap(), expected);
    }

    #[test]
    fn calls_of_an_answer_that_was_cut_are_left_out() {
        let mut decoder = decoder();
        let data = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"find","arguments":"{\"q"}}]}}]}"#;
        event(&mut decoder, data).unwrap();
        assert_eq!(decoder.end(Some(FinishReason::Length)).unwrap(), [Said::Finished(FinishReason::Length)]);
    }
}
