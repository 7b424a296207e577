//! What one request to a model shows of itself: a span, and metrics under OpenTelemetry's names for generative AI.

use metrics::Label;
use tokio::time::Instant;

use events::{FinishReason, Usage};

use super::Model;
use crate::trace::Span;
use crate::work::Work;

/// A request under way.
pub(crate) struct Watch {
    span: Span,
    provider: String,
    begun: Instant,
    has_heard: bool,
}

impl Watch {
    /// A request leaves, by the model's full name; for an agent, if it is an answer, within its run's span.
    pub(crate) fn begin(within: &Span, work: &Work, agent: Option<&str>, name: &str, model: &Model) -> Self {
        let provider = model.provider().to_owned();
        // The provider is an attribute of its own.
        let model = name.strip_prefix(&provider).and_then(|rest| rest.strip_prefix('/'));
        let span = within.chat(work, agent, &provider, model.unwrap_or(name));
        Self { span, provider, begun: Instant::now(), has_heard: false }
    }

    /// Something of the answer has come.
    pub(crate) fn heard(&mut self) {
        if !std::mem::replace(&mut self.has_heard, true) {
            let seconds = self.begun.elapsed().as_secs_f64();
            metrics::histogram!("gen_ai_client_operation_time_to_first_chunk_seconds", self.labels(None))
                .record(seconds);
        }
    }

    /// Nothing more comes: it has ended, or failed with this class of failure.
    pub(crate) fn end(self, result: Result<FinishReason, &'static str>, usage: Option<Usage>) {
        if let Some(usage) = usage {
            self.span.counted(usage);
            for (kind, tokens) in [("input", usage.input_tokens), ("output", usage.output_tokens)] {
                let labels = self.labels(Some(Label::from_static_parts("gen_ai_token_type", kind)));
                metrics::histogram!("gen_ai_client_token_usage", labels).record(f64::from(tokens));
            }
        }
        let class = match result {
            Ok(reason) => {
                self.span.finished(reason);
                None
            }
            Err(class) => Some(class),
        };
        if let Some(class) = class {
            self.span.failed(class);
        }
        let labels = self.labels(class.map(|class| Label::from_static_parts("error_type", class)));
        metrics::histogram!("gen_ai_client_operation_duration_seconds", labels)
            .record(self.begun.elapsed().as_secs_f64());
    }

    /// No model's name, for that could be anything.
    fn labels(&self, more: Option<Label>) -> Vec<Label> {
        let operation = Label::from_static_parts("gen_ai_operation_name", "chat");
        [operation, Label::new("gen_ai_provider_name", self.provider.clone())].into_iter().chain(more).collect()
    }
}
