//! How long an answer may take.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Said;
use crate::model::failure::{Blame, Failure};
use crate::settings::Timeouts;

/// The time of one request.
pub(super) struct Clock {
    timeouts: Timeouts,
    /// When all of it must have come.
    total: Instant,
    /// When the next sign of life must have come.
    next: Instant,
    spoke: bool,
}

impl Clock {
    pub(super) fn start(timeouts: Timeouts) -> Self {
        let now = Instant::now();
        Self { timeouts, total: now + timeouts.total, next: now + timeouts.first_token, spoke: false }
    }

    /// When waiting ends.
    pub(super) fn deadline(&self) -> Instant {
        self.next.min(self.total)
    }

    /// Something came. Only what says something counts: comments and pings alone keep no answer alive, and figures don't begin one.
    pub(super) fn heard(&mut self, said: &[Said]) {
        self.spoke |= said.iter().any(|said| matches!(said, Said::Piece(..)));
        if self.spoke && !said.is_empty() {
            self.next = Instant::now() + self.timeouts.idle;
        }
    }

    /// The answer is whole: what still may come is not waited for any longer.
    pub(super) fn leave_within(&mut self, pause: Duration) {
        self.next = Instant::now() + pause;
    }

    /// Why waiting has ended.
    pub(super) fn too_slow(&self) -> Failure {
        let Timeouts { first_token, idle, total, .. } = self.timeouts;
        let is_over = Instant::now() >= self.total;
        match self.spoke {
            // A server that speaks on and on is well.
            true if is_over => {
                timeout(Blame::Terms, "timeout_total", format!("the model took longer than {total:?} for its answer"))
            }
            true => timeout(Blame::Server, "timeout_idle", format!("the model fell silent for {idle:?}")),
            false => {
                let (class, patience) =
                    if is_over { ("timeout_total", total) } else { ("timeout_first_token", first_token) };
                timeout(Blame::Server, class, format!("the model did not begin to answer within {patience:?}"))
            }
        }
    }
}

fn timeout(blame: Blame, class: &'static str, reason: String) -> Failure {
    Failure::of(blame, class, reason)
}

/// The connection ended before the answer did.
pub(super) fn cut() -> Failure {
    Failure::of(Blame::Server, "cut", "the model's server cut the connection").again(None)
}
