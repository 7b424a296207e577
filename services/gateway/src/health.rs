//! `/livez`, `/readyz`, `/metrics`: the small listener of every role.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::future::BoxFuture;
use http::{StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a check may take, and how long its answer stands.
const CHECK_LIMIT: Duration = Duration::from_secs(2);
const CHECK_AGE: Duration = Duration::from_secs(1);

/// What a failed check means for this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it the process cannot do its own job: not ready.
    Required,
    /// Without it the process works, degraded.
    Helpful,
}

type Answer = Result<(), String>;
type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

struct Check {
    need: Need,
    probe: Probe,
}

#[derive(Default)]
struct Inner {
    checks: Mutex<BTreeMap<&'static str, Check>>,
    draining: std::sync::atomic::AtomicBool,
    last: tokio::sync::Mutex<Option<(Instant, BTreeMap<&'static str, Answer>)>>,
}

/// The process's named checks; clones share them.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

impl Health {
    /// No checks: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check, or replaces the one of that name. The text of a failed one is shown to anybody: no addresses, no secrets.
    pub fn check<F, R>(&self, name: &'static str, need: Need, probe: F)
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        let probe: Probe = Arc::new(move || Box::pin(probe()));
        self.checks().insert(name, Check { need, probe });
    }

    /// Not ready from now on: the process is about to stop.
    pub fn drain(&self) {
        self.0.draining.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.0.draining.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn checks(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Check>> {
        self.0.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs all checks at once, unless they ran a moment ago.
    async fn answers(&self) -> BTreeMap<&'static str, Answer> {
        let mut last = self.0.last.lock().await;
        if let Some((at, answers)) = &*last
            && at.elapsed() < CHECK_AGE
        {
            return answers.clone();
        }
        let probes: Vec<_> = self.checks().iter().map(|(name, check)| (*name, check.probe.clone())).collect();
        let answers = probes.into_iter().map(async |(name, probe)| {
            let answer = tokio::time::timeout(CHECK_LIMIT, probe()).await;
            (name, answer.unwrap_or_else(|_| Err("no answer in time".into())))
        });
        let answers: BTreeMap<_, _> = futures::future::join_all(answers).await.into_iter().collect();
        *last = Some((Instant::now(), answers.clone()));
        answers
    }

    /// Whether the process can do its job, and the body that says why.
    async fn report(&self) -> (bool, Value) {
        let answers = self.answers().await;
        let needs: BTreeMap<_, _> = self.checks().iter().map(|(name, check)| (*name, check.need)).collect();
        let draining = self.is_draining();
        let failed = |need| answers.iter().any(|(name, answer)| answer.is_err() && needs.get(name) == Some(&need));
        let ready = !draining && !failed(Need::Required);
        let status = match ready {
            false if draining => "draining",
            false => "unavailable",
            true if failed(Need::Helpful) => "degraded",
            true => "ok",
        };
        let checks = answers.iter().map(|(name, answer)| {
            let check = match (answer, needs.get(name)) {
                (Ok(()), _) => json!({ "status": "ok" }),
                (Err(why), Some(Need::Required)) => json!({ "status": "failed", "detail": why }),
                (Err(why), _) => json!({ "status": "degraded", "detail": why }),
            };
            ((*name).to_owned(), check)
        });
        let checks = Value::Object(checks.collect());
        (ready, json!({ "status": status, "version": env!("CARGO_PKG_VERSION"), "checks": checks }))
    }
}

/// `/livez`, `/readyz` and, with a handle, `/metrics`.
pub fn router(health: Health, metrics: Option<PrometheusHandle>) -> Router {
    let router = Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(health);
    match metrics {
        Some(handle) => router.route("/metrics", get(async move || metrics_text(&handle))),
        None => router,
    }
}

/// Serves [`router`] alone, for a process without the gateway role, until `shutdown`.
///
/// # Errors
/// The listener failed.
pub fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Option<PrometheusHandle>,
    shutdown: CancellationToken,
) -> BoxFuture<'static, std::io::Result<()>> {
    let server = axum::serve(listener, router(health, metrics));
    Box::pin(server.with_graceful_shutdown(shutdown.cancelled_owned()).into_future())
}

async fn livez() -> Response {
    fresh(Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })))
}

async fn readyz(State(health): State<Health>) -> Response {
    let (ready, body) = health.report().await;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    fresh((status, Json(body)))
}

fn metrics_text(handle: &PrometheusHandle) -> Response {
    fresh(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()))
}

fn fresh(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}
