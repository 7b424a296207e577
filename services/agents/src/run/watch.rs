//! What one request to a model shows of itself: a span, and metrics under OpenTelemetry's names for generative AI.

use metrics::Label;
use tokio::time::Instant;

use events::{FinishReason, Usage};

use super::Job;
use super::prepare::Question;
use super::stream::Stopped;
use crate::trace::Span;

/// A request under way.
pub(super) struct Watch {
    span: Span,
    provider: String,
    begun: Instant,
    has_heard: bool,
}

impl Watch {
    pub(super) fn begin(job: &Job<'_>, question: &Question) -> Self {
        let provider = question.model.provider().to_owned();
        // The provider is an attribute of its own.
        let model = question.name.strip_prefix(&provider).and_then(|rest| rest.strip_prefix('/'));
        let span = job.span.chat(job.work, &job.run.agent, &provider, model.unwrap_or(&question.name));
        Self { span, provider, begun: Instant::now(), has_heard: false }
    }

    /// Something of the answer has come.
    pub(super) fn heard(&mut self) {
        if !std::mem::replace(&mut self.has_heard, true) {
            let seconds = self.begun.elapsed().as_secs_f64();
            metrics::histogram!("gen_ai_client_operation_time_to_first_chunk_seconds", self.labels(None))
                .record(seconds);
        }
    }

    /// Nothing more comes.
    pub(super) fn end(self, result: &Result<FinishReason, Stopped>, usage: Option<Usage>) {
        if let Some(usage) = usage {
            self.span.counted(usage);
            for (kind, tokens) in [("input", usage.input_tokens), ("output", usage.output_tokens)] {
                let labels = self.labels(Some(Label::from_static_parts("gen_ai_token_type", kind)));
                metrics::histogram!("gen_ai_client_token_usage", labels).record(f64::from(tokens));
            }
        }
        let class = match result {
            Ok(reason) => {
                self.span.finished(*reason);
                None
            }
            Err(Stopped::Failed(failure)) => Some(failure.class),
            Err(Stopped::ByPerson) => Some("stopped"),
            Err(Stopped::Lost) => Some("lease_lost"),
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
