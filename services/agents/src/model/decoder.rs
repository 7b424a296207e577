//! From what a server sends to what the model said, whatever the server speaks.

use serde_json::Value;

use events::{ChunkKind, FinishReason, Usage};

use super::Said;
use super::calls::Calls;
use super::{anthropic, openai};
use crate::prompt::{Line, Prompt};
use crate::settings::ProviderKind;

/// What one event says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) said: Vec<Said>,
    /// The answer is whole; only figures may follow.
    pub(super) finish: Option<FinishReason>,
    /// Nothing follows.
    pub(super) is_last: bool,
}

/// Why an event is none, or one too many.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is not JSON, or not of the form.
    Garbage,
    /// The server says that it failed.
    Error(Complaint),
    TooManyCalls,
    /// Arguments without end.
    TooLong,
}

/// An error as a server describes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    /// The provider's own name for it.
    pub(super) kind: String,
    /// For a person.
    pub(super) message: String,
}

/// Reads one answer.
pub(super) struct Decoder {
    kind: ProviderKind,
    pub(super) calls: Calls,
    /// As counted so far.
    pub(super) usage: Usage,
    /// Of the prompt's tokens, those read afresh, written to the server's cache, and read from there.
    pub(super) prompt_tokens: [u32; 3],
}

impl Decoder {
    /// For the answer to this prompt.
    pub(super) fn new(kind: ProviderKind, prompt: &Prompt) -> Self {
        let calls =
            prompt.lines.iter().map(|line| if let Line::Assistant { calls, .. } = line { calls.len() } else { 0 });
        Self { kind, calls: Calls::new(calls.sum()), usage: Usage::default(), prompt_tokens: [0; 3] }
    }

    /// One event of a stream.
    pub(super) fn event(&mut self, data: &str) -> Result<Heard, Wrong> {
        match self.kind {
            ProviderKind::OpenAi => openai::decode::event(self, data),
            ProviderKind::Anthropic => anthropic::decode::event(self, data),
        }
    }

    /// An answer that came in one piece.
    pub(super) fn whole(&mut self, body: &str) -> Result<Heard, Wrong> {
        match self.kind {
            ProviderKind::OpenAi => openai::decode::whole(self, body),
            ProviderKind::Anthropic => anthropic::decode::whole(self, body),
        }
    }

    /// What is said at the end. Calls are held back until here: those of an answer that was cut may lack their end, and are
    /// left out.
    pub(super) fn end(self, finish: Option<FinishReason>) -> Result<Vec<Said>, Wrong> {
        let finish = finish.unwrap_or(FinishReason::Stop);
        if !matches!(finish, FinishReason::Stop | FinishReason::ToolCalls) {
            return Ok(vec![Said::Finished(finish)]);
        }
        let calls = self.calls.finish()?;
        let finish = if calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
        Ok(calls.into_iter().map(Said::Call).chain([Said::Finished(finish)]).collect())
    }
}

/// What a server says about an error: `{"error":{"message":…}}`, `{"error":"…"}`, `{"message":…}` or `{"detail":…}`.
pub(super) fn complaint(body: &str) -> Option<Complaint> {
    let body: Value = serde_json::from_str(body).ok()?;
    let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(&body);
    let first = |keys: [&str; 2]| keys.iter().find_map(|key| error.get(*key)?.as_str()).map(str::to_owned);
    let message = error.as_str().map(str::to_owned).or_else(|| first(["message", "detail"]))?;
    Some(Complaint { kind: first(["type", "code"]).unwrap_or_default(), message })
}

/// JSON that is no error.
pub(super) fn parse(data: &str) -> Result<Value, Wrong> {
    let value: Value = serde_json::from_str(data).map_err(|_| Wrong::Garbage)?;
    match value.get("error") {
        Some(error) if !error.is_null() => Err(Wrong::Error(complaint(data).unwrap_or_default())),
        _ => Ok(value),
    }
}

/// A text that is there and not empty.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Whole JSON for arguments: a server may give them as a text or as a value.
pub(super) fn arguments(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// A number of tokens, if it is there.
pub(super) fn tokens(usage: &Value, pointer: &str) -> Option<u32> {
    let number = usage.pointer(pointer)?.as_u64()?;
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}

/// A piece of the answer.
pub(super) fn piece(kind: ChunkKind, text: &str) -> Said {
    Said::Piece(kind, text.to_owned())
}
