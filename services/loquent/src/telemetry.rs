//! Logs and metrics of the process.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Format, Telemetry};
use crate::failure::{During, Failure, Outcome};

/// Bounds of histograms in seconds: from a local append to a long answer.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];
/// Bounds that OpenTelemetry advises for whole requests to models and runs of tools, in seconds, and for tokens.
const OPERATION: [f64; 14] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// And for the first chunk.
const FIRST_CHUNK: [f64; 16] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The metrics with bounds of their own.
const BOUNDS: [(&str, &[f64]); 4] = [
    ("gen_ai_client_operation_duration_seconds", &OPERATION),
    ("gen_ai_client_operation_time_to_first_chunk_seconds", &FIRST_CHUNK),
    ("gen_ai_client_token_usage", &TOKENS),
    ("gen_ai_execute_tool_duration_seconds", &OPERATION),
];

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
    let bounded = |builder: PrometheusBuilder, (name, bounds): (&str, &[f64])| {
        builder.set_buckets_for_metric(Matcher::Full(name.into()), bounds)
    };
    let builder = BOUNDS.into_iter().try_fold(builder.during("metrics")?, bounded);
    let recorder = builder.during("metrics")?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| Failure::failed("metrics were already set up"))?;
    Ok(handle)
}
