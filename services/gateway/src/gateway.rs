//! The gateway as a process part: built from its parts, served until told to stop.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Authenticator;
use crate::graphql::{self, Schema, Services};
use crate::health::{Health, Need};
use crate::live::Live;
use crate::patience::Patient;
use crate::{Deps, Result, Settings, http};

/// How long new connections are still taken once the process is told to stop: whoever balances the load sees `/readyz` say
/// no before it sees connections refused.
const FAREWELL: Duration = Duration::from_millis(500);

/// What every handler can reach.
pub(crate) struct App {
    pub(crate) schema: Schema,
    pub(crate) authenticator: Authenticator,
    pub(crate) live: Live,
    /// Cancelled when the process is told to stop: streams end, sockets close with 1012.
    pub(crate) draining: CancellationToken,
    /// Open sockets: the server gives them away and so does not wait for their last frame.
    pub(crate) sockets: TaskTracker,
}

/// All doors, not yet open.
pub struct Gateway {
    app: Arc<App>,
    router: Router,
    health: Health,
    drain: Duration,
}

impl Gateway {
    /// Puts the doors together; registers the checks `store` and `log`.
    ///
    /// # Errors
    /// The token secret is too short.
    pub fn new(settings: Settings, deps: Deps) -> Result<Self> {
        let authenticator = Authenticator::new(&settings.auth, deps.keyring.clone())?;
        let live = Live::new(&deps);
        let services = Services {
            commands: deps.commands,
            keyring: deps.keyring,
            read_model: deps.read_model,
            live: live.clone(),
            currency: settings.currency.into(),
            check_arguments: settings.check_arguments,
        };
        let schema = graphql::schema(services, settings.introspection);
        let (store, log) = (deps.store, deps.log);
        deps.health.check("store", Need::Required, move || {
            let store = store.clone();
            async move { store.tail_end().await.map(drop).map_err(|_| "the store does not answer".to_owned()) }
        });
        deps.health.check("log", Need::Helpful, move || {
            let log = log.clone();
            async move { if log.healthy().await { Ok(()) } else { Err("the log does not answer".to_owned()) } }
        });
        let (draining, sockets) = (CancellationToken::new(), TaskTracker::new());
        let app = Arc::new(App { schema, authenticator, live, draining, sockets });
        let router = http::router(app.clone(), deps.health.clone(), deps.metrics);
        Ok(Self { app, router, health: deps.health, drain: settings.drain })
    }

    /// All paths, for tests without a socket; nothing follows the log unless [`serve`](Self::serve) runs.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves until `shutdown`, then lets requests in flight end.
    ///
    /// # Errors
    /// The listener failed.
    pub fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> BoxFuture<'static, Result<()>> {
        Box::pin(self.serve_until(listener, shutdown))
    }

    async fn serve_until(self, listener: TcpListener, shutdown: CancellationToken) -> Result<()> {
        let tail_stop = CancellationToken::new();
        let live = self.app.live.clone();
        let tail = tokio::spawn({
            let stop = tail_stop.clone();
            async move { live.run(stop).await }
        });
        let (health, draining) = (self.health, self.app.draining.clone());
        let told = shutdown.clone();
        let stop = async move {
            told.cancelled().await;
            health.drain();
            draining.cancel();
            tokio::time::sleep(FAREWELL).await;
        };
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
        });
        // A router as it is would be copied for every connection.
        let server = axum::serve(Patient(listener), self.router.into_make_service()).with_graceful_shutdown(stop);
        let deadline = async {
            shutdown.cancelled().await;
            tokio::time::sleep(self.drain).await;
        };
        let served = async {
            let served = server.await;
            self.app.sockets.close();
            self.app.sockets.wait().await;
            served
        };
        let served = tokio::select! {
            served = served => served,
            () = deadline => {
                tracing::warn!("requests were still in flight at the end of the drain");
                Ok(())
            }
        };
        tail_stop.cancel();
        if let Err(error) = tail.await {
            tracing::error!(%error, "the log's tail ended badly");
        }
        Ok(served?)
    }
}
