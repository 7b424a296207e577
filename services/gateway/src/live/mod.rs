//! Live updates.

mod cut;
mod item;
mod merge;
mod start;

use tokio_util::sync::CancellationToken;

use crate::Deps;

/// The node's one tail of the log, and everybody who watches.
#[derive(Clone)]
pub struct Live;

impl Live {
    pub(crate) fn new(deps: &Deps) -> Self {
        let _ = deps;
        Self
    }

    /// Follows the log until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        stop.cancelled().await;
    }
}
