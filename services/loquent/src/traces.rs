//! Spans leave over OTLP (HTTP, protobuf) where OpenTelemetry's own variables say so; otherwise there are none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as Exporter};

/// How long the last spans may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// The way of spans out of this process.
pub(crate) struct Traces(Option<SdkTracerProvider>);

/// Sends spans from now on, if a collector is named. One that is named wrongly stops nothing: the log says so.
pub(crate) fn start() -> Traces {
    if !is_wanted(&variable) {
        return Traces(None);
    }
    let exporter = match exporter() {
        Ok(exporter) => Watched { exporter, fails: AtomicBool::new(false) },
        Err(reason) => {
            tracing::warn!(reason, "no spans are exported");
            return Traces(None);
        }
    };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
    global::set_text_map_propagator(TraceContextPropagator::new());
    global::set_tracer_provider(provider.clone());
    Traces(Some(provider))
}

impl Traces {
    /// Sends what is left, as far as that goes within two seconds.
    pub(crate) fn end(self) {
        if let Self(Some(provider)) = self
            && provider.shutdown_with_timeout(FAREWELL).is_err()
        {
            tracing::warn!("the last spans were not exported");
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn is_wanted(variable: &impl Fn(&str) -> Option<String>) -> bool {
    let is = |name, value: &str| variable(name).is_some_and(|set: String| set.eq_ignore_ascii_case(value));
    let endpoint = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
    endpoint.is_some() && !is("OTEL_SDK_DISABLED", "true") && !is("OTEL_TRACES_EXPORTER", "none")
}

/// Everything but the protocol it reads from the environment itself.
fn exporter() -> Result<SpanExporter, String> {
    let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
    if let Some(other) = protocol.filter(|protocol| protocol != "http/protobuf") {
        return Err(format!("OTEL_EXPORTER_OTLP_PROTOCOL: {other} is not spoken here, only http/protobuf"));
    }
    let builder = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
    // The library's words quote the address, which may hold a password.
    builder.build().map_err(|_| "the endpoint, the compression or the client is not possible".to_owned())
}

fn resource() -> Resource {
    let resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    let is_named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|attributes| attributes.contains("service.name="));
    if is_named { resource.build() } else { resource.with_service_name("loquent").build() }
}

/// Says once when spans no longer leave, and once when they do again.
#[derive(Debug)]
struct Watched {
    exporter: SpanExporter,
    fails: AtomicBool,
}

impl Exporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        let failed = self.fails.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !failed => {
                tracing::warn!(%error, "spans cannot be exported and are lost until the collector takes them again");
            }
            Ok(()) if failed => tracing::info!("spans are exported again"),
            Ok(()) | Err(_) => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_exported_only_where_a_collector_is_named_and_nobody_says_no() {
        let wanted = |set: &[(&str, &str)]| {
            is_wanted(&|name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        assert!(!wanted(&[]));
        assert!(wanted(&[endpoint]));
        assert!(wanted(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")]));
        assert!(!wanted(&[endpoint, ("OTEL_SDK_DISABLED", "True")]));
        assert!(wanted(&[endpoint, ("OTEL_SDK_DISABLED", "false")]));
        assert!(!wanted(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]));
    }
}
