//! A circuit breaker: a server that fails again and again is left alone for a while, then tried by one request.
//!
//! Pure: it is told the time. Every change of state is a new era, and what a request of an earlier era has to tell is not heard,
//! so a straggler neither opens nor closes it.

use std::time::{Duration, Instant};

use crate::settings::BreakerSettings;

/// Whether a provider's server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It is.
    Closed,
    /// One request finds out whether it is well again.
    HalfOpen,
    /// It is left alone.
    Open,
}

impl BreakerState {
    /// `closed`, `half_open` or `open`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// What a request told about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Well,
    Ill,
    /// Nothing, in either direction: it was given up, or refused for a reason of its own.
    Unknown,
}

/// The era in which a request may leave; to be shown again with its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Era(u64);

#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    era: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self { settings, era: 0, state: State::Closed { failures: 0 } }
    }

    /// Asks for leave to send a request. The first one after the pause is the probe; `Err` says how long the pause still lasts.
    pub(super) fn ask(&mut self, now: Instant) -> Result<Era, Duration> {
        match self.state {
            State::Closed { .. } => {}
            State::Open { until } if until <= now => self.enter(State::Probing),
            State::Open { until } => return Err(until - now),
            State::Probing => return Err(Duration::ZERO),
        }
        Ok(Era(self.era))
    }

    /// Takes the verdict of a request.
    pub(super) fn tell(&mut self, era: Era, verdict: Verdict, now: Instant) {
        if era.0 != self.era {
            return;
        }
        let pause = State::Open { until: now + self.settings.open };
        match (&mut self.state, verdict) {
            (State::Closed { failures }, Verdict::Well) => *failures = 0,
            (State::Closed { failures }, Verdict::Ill) => {
                *failures += 1;
                if *failures >= self.settings.failures {
                    self.enter(pause);
                }
            }
            (State::Probing, Verdict::Well) => self.enter(State::Closed { failures: 0 }),
            (State::Probing, Verdict::Ill) => self.enter(pause),
            // The next request is the probe.
            (State::Probing, Verdict::Unknown) => self.enter(State::Open { until: now }),
            (State::Closed { .. }, Verdict::Unknown) | (State::Open { .. }, _) => {}
        }
    }

    /// What it is now.
    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::Probing => BreakerState::HalfOpen,
        }
    }

    fn enter(&mut self, state: State) {
        self.era += 1;
        self.state = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    fn breaker() -> (Breaker, Instant) {
        (Breaker::new(BreakerSettings { failures: 3, open: PAUSE }), Instant::now())
    }

    fn fail(breaker: &mut Breaker, now: Instant, times: usize) {
        for _ in 0..times {
            let era = breaker.ask(now).expect("closed");
            breaker.tell(era, Verdict::Ill, now);
        }
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_closes_after_a_probe() {
        let (mut breaker, now) = breaker();
        fail(&mut breaker, now, 2);
        let era = breaker.ask(now).unwrap();
        breaker.tell(era, Verdict::Well, now);
        fail(&mut breaker, now, 2);
        assert_eq!(breaker.state(now), BreakerState::Closed);
        fail(&mut breaker, now, 1);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.ask(now + PAUSE / 3), Err(PAUSE * 2 / 3));
        let later = now + PAUSE;
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        let probe = breaker.ask(later).unwrap();
        assert!(breaker.ask(later).is_err(), "one probe at a time");
        breaker.tell(probe, Verdict::Well, later);
        assert_eq!(breaker.state(later), BreakerState::Closed);
        fail(&mut breaker, later, 2);
        assert!(breaker.ask(later).is_ok());
    }

    #[test]
    fn a_probe_that_fails_opens_it_for_another_pause() {
        let (mut breaker, now) = breaker();
        fail(&mut breaker, now, 3);
        let probe = breaker.ask(now + PAUSE).unwrap();
        breaker.tell(probe, Verdict::Ill, now + PAUSE);
        assert_eq!(breaker.ask(now + PAUSE), Err(PAUSE));
        assert!(breaker.ask(now + PAUSE * 2).is_ok());
    }

    #[test]
    fn a_probe_that_tells_nothing_leaves_its_place_to_the_next() {
        let (mut breaker, now) = breaker();
        fail(&mut breaker, now, 3);
        let probe = breaker.ask(now + PAUSE).unwrap();
        breaker.tell(probe, Verdict::Unknown, now + PAUSE);
        assert!(breaker.ask(now + PAUSE).is_ok());
    }

    #[test]
    fn what_tells_nothing_is_not_counted() {
        let (mut breaker, now) = breaker();
        fail(&mut breaker, now, 2);
        let era = breaker.ask(now).unwrap();
        breaker.tell(era, Verdict::Unknown, now);
        assert_eq!(breaker.state(now), BreakerState::Closed);
        fail(&mut breaker, now, 1);
        assert_eq!(breaker.state(now), BreakerState::Open);
    }

    #[test]
    fn a_straggler_neither_opens_nor_closes_it() {
        let (mut breaker, now) = breaker();
        let straggler = breaker.ask(now).unwrap();
        fail(&mut breaker, now, 3);
        breaker.tell(straggler, Verdict::Well, now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        let probe = breaker.ask(now + PAUSE).unwrap();
        breaker.tell(straggler, Verdict::Ill, now + PAUSE);
        breaker.tell(probe, Verdict::Well, now + PAUSE);
        assert_eq!(breaker.state(now + PAUSE), BreakerState::Closed);
    }
}
