//! The HTTP paths.

mod sse;
mod ws;

use std::sync::Arc;

use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::gateway::App;
use crate::health::{self, Health};

/// All paths of the gateway.
pub(crate) fn router(app: Arc<App>, health: Health, metrics: Option<PrometheusHandle>) -> Router {
    let _ = app;
    health::router(health, metrics)
}
