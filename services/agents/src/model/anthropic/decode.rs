//! The JSON of an answer, as far as we read it. Events and blocks of a kind that we don't know are passed over.

use serde_json::Value;

use events::{ChunkKind, FinishReason};

use crate::model::Said;
use crate::model::calls::Fragment;
use crate::model::decoder::{Decoder, Heard, Wrong, arguments, parse, piece, text, tokens};

/// One event of a stream.
pub(in crate::model) fn event(decoder: &mut Decoder, data: &str) -> Result<Heard, Wrong> {
    let event = parse(data)?;
    let index = event.get("index").and_then(Value::as_u64).unwrap_or_default();
    let mut heard = Heard::default();
    match event.get("type").and_then(Value::as_str).ok_or(Wrong::Garbage)? {
        "message_start" => heard.said.extend(usage(decoder, event.pointer("/message/usage"))),
        "content_block_start" => {
            heard.said = block(decoder, index, event.get("content_block").unwrap_or(&Value::Null), false)?;
        }
        "content_block_delta" => heard.said.extend(delta(decoder, index, event.get("delta").unwrap_or(&Value::Null))?),
        "message_delta" => {
            heard.said.extend(usage(decoder, event.get("usage")));
            heard.finish = event.pointer("/delta/stop_reason").and_then(Value::as_str).map(finish_reason);
        }
        "message_stop" => heard.is_last = true,
        "error" => return Err(Wrong::Error(Default::default())),
        _ => {}
    }
    Ok(heard)
}

/// An answer that came in one piece.
pub(in crate::model) fn whole(decoder: &mut Decoder, body: &str) -> Result<Heard, Wrong> {
    let message = parse(body)?;
    let blocks = message.get("content").and_then(Value::as_array).ok_or(Wrong::Garbage)?;
    let mut heard = Heard::default();
    for (index, block) in blocks.iter().enumerate() {
        heard.said.extend(self::block(decoder, index as u64, block, true)?);
    }
    heard.said.extend(usage(decoder, message.get("usage")));
    heard.finish = message.get("stop_reason").and_then(Value::as_str).map(finish_reason);
    Ok(heard)
}

/// A block's beginning, or all of it where it `is_whole`.
fn block(decoder: &mut Decoder, index: u64, block: &Value, is_whole: bool) -> Result<Vec<Said>, Wrong> {
    let said = match block.get("type").and_then(Value::as_str).unwrap_or_default() {
        "text" => text(block, "text").map(|text| piece(ChunkKind::Text, text)),
        "thinking" => text(block, "thinking").map(|text| piece(ChunkKind::Reasoning, text)),
        "tool_use" => {
            // At a block's beginning the input is an empty object, and its real text follows.
            let input =
                block.get("input").filter(|input| is_whole || input.as_object().is_some_and(|map| !map.is_empty()));
            let arguments = arguments(input);
            decoder.calls.add(Fragment {
                index,
                id: text(block, "id").unwrap_or_default(),
                name: text(block, "name").unwrap_or_default(),
                arguments: &arguments,
            })?;
            (!arguments.is_empty()).then(|| piece(ChunkKind::ToolCall, &arguments))
        }
        _ => None,
    };
    Ok(said.into_iter().collect())
}

fn delta(decoder: &mut Decoder, index: u64, delta: &Value) -> Result<Option<Said>, Wrong> {
    Ok(match delta.get("type").and_then(Value::as_str).unwrap_or_default() {
        "text_delta" => text(delta, "text").map(|text| piece(ChunkKind::Text, text)),
        "thinking_delta" => text(delta, "thinking").map(|text| piece(ChunkKind::Reasoning, text)),
        // Tools that the server runs itself stream their input too; they are none of our calls.
        "input_json_delta" if decoder.calls.knows(index) => {
            let arguments = text(delta, "partial_json").unwrap_or_default();
            decoder.calls.add(Fragment { index, arguments, ..Fragment::default() })?;
            (!arguments.is_empty()).then(|| piece(ChunkKind::ToolCall, arguments))
        }
        _ => None,
    })
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}

/// The tokens so far: figures are totals, and what an event leaves out stays. The server counts what it read from its cache or
/// wrote there apart from the rest of the prompt.
fn usage(decoder: &mut Decoder, usage: Option<&Value>) -> Option<Said> {
    let usage = usage.filter(|usage| usage.is_object())?;
    let counted = &mut decoder.prompt_tokens;
    let parts = ["/input_tokens", "/cache_creation_input_tokens", "/cache_read_input_tokens"];
    for (counted, part) in counted.iter_mut().zip(parts) {
        *counted = tokens(usage, part).unwrap_or(*counted);
    }
    decoder.usage.input_tokens = counted.iter().fold(0, |sum, part| sum.saturating_add(*part));
    decoder.usage.cached_tokens = counted[2];
    decoder.usage.output_tokens = tokens(usage, "/output_tokens").unwrap_or(decoder.usage.output_tokens);
    Some(Said::Usage(decoder.usage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decoder::Complaint;
    use crate::prompt::{Prompt, ToolUse};
    use crate::settings::ProviderKind;
    use events::Usage;

    fn decoder() -> Decoder {
        Decoder::new(ProviderKind::Anthropic, &Prompt::default())
    }

    #[test]
    fn usage_is_a_running_total_with_the_cache_counted_in() {
        let mut decoder = decoder();
        let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":10,"cache_creation_input_tokens":20,
            "cache_read_input_tokens":30,"output_tokens":1}}}"#;
        let usage = Usage { input_tokens: 60, output_tokens: 1, reasoning_tokens: 0, cached_tokens: 30 };
        assert_eq!(event(&mut decoder, start).unwrap().said, [Said::Usage(usage)]);
        let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#;
        let heard = event(&mut decoder, end).unwrap();
        assert_eq!(heard.said, [Said::Usage(Usage { output_tokens: 15, ..usage })]);
        assert_eq!(heard.finish, Some(FinishReason::Stop));
    }

    #[test]
    fn reasons_to_finish_are_mapped() {
        for (reason, expected) in [
            ("end_turn", FinishReason::Stop),
            ("stop_sequence", FinishReason::Stop),
            ("max_tokens", FinishReason::Length),
            ("model_context_window_exceeded", FinishReason::Length),
            ("tool_use", FinishReason::ToolCalls),
            ("refusal", FinishReason::ContentFilter),
        ] {
            let data = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}}}}"#);
            assert_eq!(event(&mut decoder(), &data).unwrap().finish, Some(expected));
        }
    }

    #[test]
    fn what_we_do_not_know_is_passed_over_and_garbage_is_not() {
        for data in [
            r#"{"type":"ping"}"#,
            r#"{"type":"news"}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}}"#,
        ] {
            assert_eq!(event(&mut decoder(), data), Ok(Heard::default()), "{data}");
        }
        for data in ["{}", "<html>", "[]"] {
            assert_eq!(event(&mut decoder(), data), Err(Wrong::Garbage), "{data}");
        }
        let error =
            event(&mut decoder(), r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
        let complaint = Complaint { kind: "overloaded_error".into(), message: "Overloaded".into() };
        assert_eq!(error, Err(Wrong::Error(complaint)));
    }

    #[test]
    fn an_answer_in_one_piece_is_read() {
        let body = r#"{"type":"message","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Hi"},
            {"type":"tool_use","id":"a","name":"find","input":{"q":1}}],"stop_reason":"tool_use","usage":{"output_tokens":3}}"#;
        let mut decoder = decoder();
        let heard = whole(&mut decoder, body).unwrap();
        let usage = Usage { output_tokens: 3, ..Usage::default() };
        let expected = [
            piece(ChunkKind::Reasoning, "hm"),
            piece(ChunkKind::Text, "Hi"),
            piece(ChunkKind::ToolCall, "{\"q\":1}"),
            Said::Usage(usage),
        ];
        assert_eq!(heard.said, expected);
        let call = ToolUse { id: "a".into(), name: "find".into(), arguments: "{\"q\":1}".into() };
        assert_eq!(decoder.end(heard.finish).unwrap(), [Said::Call(call), Said::Finished(FinishReason::ToolCalls)]);
    }
}
