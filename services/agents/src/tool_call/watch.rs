//! What a tool at work shows of itself: a span and a metric, under OpenTelemetry's names for generative AI.

use commands::ToolCall;
use metrics::Label;
use tokio::time::Instant;

use crate::trace::Span;
use crate::work::Work;

/// A tool at work.
pub(super) struct Watch {
    span: Span,
    tool: String,
    begun: Instant,
}

impl Watch {
    pub(super) fn begin(work: &Work, agent: &str, call: &ToolCall) -> Self {
        let span = Span::execute_tool(work, agent, &call.tool, call.call);
        Self { span, tool: call.tool.clone(), begun: Instant::now() }
    }

    /// It is at work no more; answers how many seconds it was.
    pub(super) fn end(self, outcome: &'static str) -> f64 {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut labels = vec![
            Label::from_static_parts("gen_ai_operation_name", "execute_tool"),
            Label::new("gen_ai_tool_name", self.tool),
            Label::from_static_parts("outcome", outcome),
        ];
        if !matches!(outcome, "completed" | "cached") {
            self.span.failed(outcome);
            labels.push(Label::from_static_parts("error_type", outcome));
        }
        metrics::histogram!("gen_ai_execute_tool_duration_seconds", labels).record(seconds);
        seconds
    }
}
