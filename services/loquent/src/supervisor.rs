//! The tasks of a process: all end on one token, and one that ends early ends the process.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::failure::{During, Failure, Outcome};

/// The longest goodbye.
const LIMIT: Duration = Duration::from_secs(29);

/// Runs tasks by name until one fails or the process is told to stop.
pub(crate) struct Supervisor {
    tasks: JoinSet<(&'static str, Outcome<()>)>,
    shutdown: CancellationToken,
}

impl Supervisor {
    /// No tasks yet; SIGTERM and SIGINT are heard from now on.
    ///
    /// # Errors
    /// Signals cannot be heard.
    pub(crate) fn new() -> Outcome<Self> {
        let shutdown = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate()).during("signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).during("signals")?;
        let told = shutdown.clone();
        tokio::spawn(async move {
            for count in 1.. {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                tracing::info!(signal = name, "told to stop");
                told.cancel();
                if count > 1 {
                    std::process::exit(130);
                }
            }
        });
        Ok(Self { tasks: JoinSet::new(), shutdown })
    }

    /// Cancelled when the process is to stop.
    pub(crate) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Runs a task that ends when its token is cancelled.
    pub(crate) fn spawn<F>(&mut self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Outcome<()>> + Send + 'static,
    {
        let task = task(self.shutdown.clone());
        self.tasks.spawn(async move { (name, task.await) });
    }

    /// Waits until the process is told to stop and all tasks have ended.
    ///
    /// # Errors
    /// A task failed, or ended before it was told to.
    pub(crate) async fn run(mut self) -> Outcome<()> {
        let mut failure = self.first_failure().await;
        self.shutdown.cancel();
        let goodbye = async {
            while let Some(ended) = self.tasks.join_next().await {
                let ended = self::ended(ended);
                failure = failure.take().or_else(|| ended.err());
            }
        };
        if tokio::time::timeout(LIMIT, goodbye).await.is_err() {
            tracing::warn!("not everything had ended when the time was over");
        }
        failure.map_or(Ok(()), Err)
    }

    async fn first_failure(&mut self) -> Option<Failure> {
        let shutdown = self.shutdown.clone();
        let ended = shutdown.run_until_cancelled(self.tasks.join_next()).await??;
        match self::ended(ended) {
            Ok(_) if self.shutdown.is_cancelled() => None,
            Ok(name) => Some(Failure::failed(format!("{name} ended by itself"))),
            Err(failure) => Some(failure),
        }
    }
}

/// The name of a task that ended well.
fn ended(ended: Result<(&'static str, Outcome<()>), tokio::task::JoinError>) -> Outcome<&'static str> {
    match ended {
        Ok((name, Ok(()))) => Ok(name),
        Ok((name, Err(failure))) => Err(Failure::failed(format!("{name}: {}", failure.message()))),
        // A panic's text may quote data; the log has its place.
        Err(_) => Err(Failure::failed("a part of the process stopped by a defect; its place is in the log")),
    }
}
