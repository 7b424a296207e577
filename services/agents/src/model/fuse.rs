//! A provider's breaker as all its requests share it, and its metric.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::breaker::{Breaker, BreakerState, Era, Verdict};
use super::failure::{Blame, Failure};
use crate::settings::BreakerSettings;

/// The breaker of one provider. Cheap to clone.
#[derive(Clone)]
pub(super) struct Fuse {
    provider: Arc<str>,
    breaker: Arc<Mutex<Breaker>>,
}

/// A request's leave. What it told is told at the latest when it is dropped.
pub(super) struct Leave {
    fuse: Fuse,
    era: Era,
    verdict: Verdict,
}

impl Fuse {
    pub(super) fn new(provider: &str, settings: BreakerSettings) -> Self {
        let fuse = Self { provider: provider.into(), breaker: Arc::new(Mutex::new(Breaker::new(settings))) };
        fuse.with(|_, _| ());
        fuse
    }

    /// Leave to send a request.
    pub(super) fn leave(&self) -> Result<Leave, Failure> {
        let era = self.with(|breaker, now| breaker.ask(now)).map_err(|pause| {
            let reason = match pause.as_secs() {
                0 => "the model's server failed too often and is just being tried again".to_owned(),
                seconds => format!("the model's server failed too often; it is tried again in {seconds} s"),
            };
            Failure { blame: Blame::Terms, ..Failure::new("breaker_open", reason) }
        })?;
        Ok(Leave { fuse: self.clone(), era, verdict: Verdict::Unknown })
    }

    pub(super) fn state(&self) -> BreakerState {
        self.with(|breaker, now| breaker.state(now))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Breaker, Instant) -> T) -> T {
        let (mut breaker, now) = (self.breaker.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        let answer = act(&mut breaker, now);
        let level = match breaker.state(now) {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        };
        metrics::gauge!("loquent_breaker_state", "provider" => self.provider.to_string()).set(level);
        answer
    }
}

impl Leave {
    /// The server answers. If the request is given up from now on, that is not held against it.
    pub(super) fn answered(&mut self) {
        self.verdict = Verdict::Well;
    }

    /// The request has failed.
    pub(super) fn failed(mut self, failure: &Failure) {
        self.verdict = match failure.blame {
            Blame::Server => Verdict::Ill,
            // It answered, if only to refuse.
            Blame::Terms | Blame::Request if failure.reached => Verdict::Well,
            Blame::Terms | Blame::Request => Verdict::Unknown,
        };
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        let (era, verdict) = (self.era, self.verdict);
        self.fuse.with(|breaker, now| breaker.tell(era, verdict, now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn the_metric_follows_the_state() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let shown = || recorder.handle().render();
        metrics::with_local_recorder(&recorder, || {
            let fuse = Fuse::new("groq", BreakerSettings { failures: 1, open: Duration::ZERO });
            assert!(shown().contains("loquent_breaker_state{provider=\"groq\"} 0"), "{}", shown());
            let failure = Failure::of(Blame::Server, "cut", "");
            fuse.leave().expect("closed").failed(&failure);
            assert!(shown().contains("loquent_breaker_state{provider=\"groq\"} 1"), "{}", shown());
            let fuse = Fuse::new("groq", BreakerSettings { failures: 1, open: Duration::from_secs(9) });
            fuse.leave().expect("closed").failed(&failure);
            assert!(shown().contains("loquent_breaker_state{provider=\"groq\"} 2"), "{}", shown());
            let refused = fuse.leave().err().expect("open");
            assert_eq!(refused.reason, "the model's server failed too often; it is tried again in 8 s");
        });
    }
}
