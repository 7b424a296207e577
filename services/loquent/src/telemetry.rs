//! Logs and metrics of the process.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Format, Telemetry};
use crate::failure::{During, Failure, Outcome};

/// Bounds of histograms in seconds: from a local append to a long answer.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// Sends logs to stderr from now on, in the form that was asked for.
///
/// # Errors
/// The filter is not understood.
pub(crate) fn start_logs(settings: &Telemetry) -> Outcome<()> {
    // The drivers' own lines may show SQL or addresses, and say little that ours don't.
    let filter = format!("sqlx=warn,hyper=warn,reqwest=warn,librdkafka=error,rdkafka=error,{}", settings.filter);
    let filter = EnvFilter::try_new(filter).map_err(|error| Failure::usage(format!("RUST_LOG: {error}")))?;
    let terminal = std::io::stderr().is_terminal();
    let format = settings.format.unwrap_or(if terminal { Format::Pretty } else { Format::Json });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        Format::Pretty => builder.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none()).compact().init(),
        Format::Json => builder.json().flatten_event(true).with_span_list(false).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        // The message of a panic may quote the data it tripped over.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a defect stopped a task");
    }));
    Ok(())
}

/// Counts from now on; the handle renders what `/metrics` shows.
///
/// # Errors
/// Something else already counts in this process.
pub(crate) fn start_metrics() -> Outcome<PrometheusHandle> {
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS);
    let recorder = builder.during("metrics")?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| Failure::failed("metrics were already set up"))?;
    Ok(handle)
}
