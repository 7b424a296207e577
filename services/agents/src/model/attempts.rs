//! What comes after a failed request: the same again, another model, or nothing. Pure: chance is passed in.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::failure::{Blame, Failure};

/// How often a model is asked again.
const RETRIES: u32 = 2;
/// The pause before the first retry; each next one is three times as long.
const BACKOFF: Duration = Duration::from_millis(300);

/// Fallback models by provider.
pub(super) type Chains = Arc<BTreeMap<String, Vec<String>>>;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The same model, after a pause.
    Again(Duration),
    /// This model, at once.
    Fallback(String),
    /// Nothing: the answer has failed.
    GiveUp,
}

/// The requests for one answer. Every model is asked at most `1 + RETRIES` times, and taken up at most once.
pub(crate) struct Attempts {
    chains: Chains,
    /// Models taken up or in line.
    named: Vec<String>,
    line: VecDeque<String>,
    retries: u32,
}

impl Attempts {
    /// Begins with this model.
    pub(super) fn new(chains: Chains, model: &str) -> Self {
        let mut attempts = Self { chains, named: vec![model.into()], line: VecDeque::new(), retries: 0 };
        attempts.line_up(model);
        attempts
    }

    /// What comes after this failure, as long as nothing of the answer was said. `jitter` is a number from 0 to 1.
    pub(crate) fn after(&mut self, failure: &Failure, jitter: f64) -> Next {
        if let Some(retry) = failure.retry
            && self.retries < RETRIES
        {
            let backoff = BACKOFF * 3_u32.pow(self.retries);
            self.retries += 1;
            // Never earlier than the server asked; else between half and all of the backoff.
            let pause = match retry.after {
                Some(asked) => asked + asked.mul_f64(jitter.clamp(0.0, 1.0) / 10.0),
                None => backoff.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0),
            };
            return Next::Again(pause);
        }
        if failure.blame == Blame::Request {
            return Next::GiveUp;
        }
        let Some(model) = self.line.pop_front() else { return Next::GiveUp };
        self.retries = 0;
        self.line_up(&model);
        Next::Fallback(model)
    }

    /// Puts the fallbacks of a model's provider into the line, behind those that wait already.
    fn line_up(&mut self, model: &str) {
        let provider = model.split_once('/').map_or(model, |(provider, _)| provider);
        for fallback in self.chains.get(provider).into_iter().flatten() {
            if !self.named.contains(fallback) {
                self.named.push(fallback.clone());
                self.line.push_back(fallback.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(chains: &[(&str, &[&str])]) -> Attempts {
        let chain = |(provider, models): &(&str, &[&str])| {
            ((*provider).to_owned(), models.iter().map(|model| (*model).to_owned()).collect())
        };
        Attempts::new(Arc::new(chains.iter().map(chain).collect()), "a/one")
    }

    fn busy(after: Option<u64>) -> Failure {
        Failure::of(Blame::Terms, "rate_limited", "busy").again(after.map(Duration::from_secs))
    }

    #[test]
    fn a_model_is_asked_again_twice_with_growing_pauses() {
        let millis = Duration::from_millis;
        let mut attempts = attempts(&[]);
        assert_eq!(attempts.after(&busy(None), 0.0), Next::Again(millis(150)));
        assert_eq!(attempts.after(&busy(None), 1.0), Next::Again(millis(900)));
        assert_eq!(attempts.after(&busy(None), 0.5), Next::GiveUp);
    }

    #[test]
    fn a_server_is_never_asked_earlier_than_it_wants() {
        let mut attempts = attempts(&[]);
        assert_eq!(attempts.after(&busy(Some(10)), 0.0), Next::Again(Duration::from_secs(10)));
        assert_eq!(attempts.after(&busy(Some(10)), 1.0), Next::Again(Duration::from_secs(11)));
    }

    #[test]
    fn every_fallback_is_taken_once_also_where_they_go_round_in_circles() {
        let mut attempts = attempts(&[("a", &["b/two", "c/three"]), ("b", &["a/one", "d/four"]), ("d", &["b/two"])]);
        let down = Failure::of(Blame::Server, "timeout_first_token", "slow");
        for model in ["b/two", "c/three", "d/four"] {
            assert_eq!(attempts.after(&down, 0.5), Next::Fallback(model.into()));
        }
        assert_eq!(attempts.after(&down, 0.5), Next::GiveUp);
    }

    #[test]
    fn a_fallback_has_its_own_retries() {
        let mut attempts = attempts(&[("a", &["b/two"])]);
        let mut next = || attempts.after(&busy(Some(0)), 0.5);
        let again = || Next::Again(Duration::ZERO);
        let seen = [next(), next(), next(), next(), next(), next()];
        assert_eq!(seen, [again(), again(), Next::Fallback("b/two".into()), again(), again(), Next::GiveUp]);
    }

    #[test]
    fn a_request_that_is_wrong_is_wrong_everywhere() {
        let mut attempts = attempts(&[("a", &["b/two"])]);
        assert_eq!(attempts.after(&Failure::of(Blame::Request, "refused", "too long"), 0.5), Next::GiveUp);
    }
}
