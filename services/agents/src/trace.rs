//! The spans of a piece of work, under OpenTelemetry's names for generative AI, on the trace that the work came with.
//!
//! They hold names, ids and counts, never a text. Where nobody exports them they are nothing.

use std::collections::HashMap;

use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value, global};

use events::{CallId, FinishReason, Usage};

use crate::work::Work;

/// Who made the spans.
const SCOPE: &str = "loquent";
const TRACEPARENT: &str = "traceparent";

/// A span, which ends with its last clone. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Span(Context);

impl Span {
    /// An agent's run, as far as one worker carries it.
    pub(crate) fn invoke_agent(work: &Work, agent: &str) -> Self {
        let span = begin(format!("invoke_agent {agent}"), SpanKind::Internal, &parent(work));
        span.set(|| vec![operation("invoke_agent"), name("gen_ai.agent.name", agent), conversation(work)]);
        span
    }

    /// What the work came from; of another process.
    pub(crate) fn before(work: &Work) -> Self {
        Self(parent(work))
    }

    /// A request to a model, within this span; of an agent, unless it is for the conversation itself.
    pub(crate) fn chat(&self, work: &Work, agent: Option<&str>, provider: &str, model: &str) -> Self {
        let asked = || vec![name("gen_ai.provider.name", provider), name("gen_ai.request.model", model)];
        self.set(asked);
        let span = begin(format!("chat {model}"), SpanKind::Client, &self.0);
        span.set(|| vec![operation("chat"), conversation(work)]);
        span.set(|| agent.map(|agent| name("gen_ai.agent.name", agent)).into_iter().collect());
        span.set(asked);
        span
    }

    /// A tool at work for an agent.
    pub(crate) fn execute_tool(work: &Work, agent: &str, tool: &str, call: CallId) -> Self {
        let span = begin(format!("execute_tool {tool}"), SpanKind::Internal, &parent(work));
        span.set(|| {
            let id = name("gen_ai.tool.call.id", &call.to_string());
            let (tool, agent) = (name("gen_ai.tool.name", tool), name("gen_ai.agent.name", agent));
            vec![operation("execute_tool"), tool, id, agent, conversation(work)]
        });
        span
    }

    /// The same work, for what follows from the span: what is appended names it as the cause.
    pub(crate) fn carry(&self, work: &Work) -> Work {
        let mut carrier = HashMap::new();
        global::get_text_map_propagator(|propagator| propagator.inject_context(&self.0, &mut carrier));
        Work { traceparent: carrier.remove(TRACEPARENT).or_else(|| work.traceparent.clone()), ..work.clone() }
    }

    /// The tokens that were counted.
    pub(crate) fn counted(&self, usage: Usage) {
        let count = |key, tokens: u32| KeyValue::new(key, i64::from(tokens));
        self.set(|| {
            vec![
                count("gen_ai.usage.input_tokens", usage.input_tokens),
                count("gen_ai.usage.output_tokens", usage.output_tokens),
                count("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens),
                count("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens),
            ]
        });
    }

    /// Why nothing more came.
    pub(crate) fn finished(&self, reason: FinishReason) {
        let reason = match reason {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::ContentFilter => "content_filter",
        };
        let reasons = Value::Array(Array::String(vec![StringValue::from(reason)]));
        self.set(|| vec![KeyValue::new("gen_ai.response.finish_reasons", reasons)]);
    }

    /// It came to nothing: the class of the failure, never its words.
    pub(crate) fn failed(&self, class: &'static str) {
        self.set(|| vec![KeyValue::new("error.type", class)]);
        self.0.span().set_status(Status::error(""));
    }

    fn set(&self, attributes: impl FnOnce() -> Vec<KeyValue>) {
        let span = self.0.span();
        if span.is_recording() {
            span.set_attributes(attributes());
        }
    }
}

fn begin(name: String, kind: SpanKind, parent: &Context) -> Span {
    let builder = SpanBuilder::from_name(name).with_kind(kind);
    Span(parent.with_span(global::tracer(SCOPE).build_with_context(builder, parent)))
}

/// The span that the work came from, if it came with one.
fn parent(work: &Work) -> Context {
    let carrier: HashMap<_, _> =
        work.traceparent.iter().map(|parent| (TRACEPARENT.to_owned(), parent.clone())).collect();
    global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), &carrier))
}

fn operation(name: &'static str) -> KeyValue {
    KeyValue::new("gen_ai.operation.name", name)
}

fn name(key: &'static str, name: &str) -> KeyValue {
    KeyValue::new(key, name.to_owned())
}

fn conversation(work: &Work) -> KeyValue {
    KeyValue::new("gen_ai.conversation.id", work.conversation.to_string())
}

#[cfg(test)]
mod tests {
    use events::{ConversationId, EventId, RunId};

    use super::*;
    use crate::work::Task;

    #[test]
    fn where_nobody_exports_spans_the_work_keeps_its_trace() {
        for traceparent in [Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()), None] {
            let work = Work {
                conversation: ConversationId::generate(),
                task: Task::Run(RunId::generate()),
                sequence: 1,
                cause: EventId::generate(),
                correlation: EventId::generate(),
                traceparent,
                tenant: "default".into(),
            };
            let span = Span::invoke_agent(&work, "assistant");
            assert_eq!(span.carry(&work), work);
            assert!(!span.0.span().is_recording());
        }
    }
}
