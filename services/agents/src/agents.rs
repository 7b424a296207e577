use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use commands::Commands;
use database::Database;
use event_log::EventLog;
use event_store::EventStore;
use keyring::Keyring;

use crate::context::Context;
use crate::model::Breakers;
use crate::registry::Registry;
use crate::work::{Kind, WorkTable};
use crate::{Result, Settings, consumer, queue, worker};

/// The agents of one process.
pub struct Agents {
    context: Arc<Context>,
}

impl Agents {
    /// Over this store and log.
    ///
    /// # Errors
    /// An agent's model or a provider's fallback belongs to no provider of the settings, or an agent's tool does not exist.
    pub fn new(
        settings: Settings,
        database: Database,
        store: EventStore,
        log: EventLog,
        keyring: Keyring,
        commands: Commands,
    ) -> Result<Self> {
        let context = Context::new(settings, database, store, log, keyring, commands)?;
        Ok(Self { context: Arc::new(context) })
    }

    /// Which providers are left alone at present: they serve nobody, which is no fault of this process.
    #[must_use]
    pub fn breakers(&self) -> Breakers {
        self.context.models.breakers()
    }

    /// Works until told to stop; then lets runs end for a while, gives the others back, and answers within 30 s.
    ///
    /// # Errors
    /// None at present: a store or a log that does not answer is waited for.
    pub fn run(self, shutdown: CancellationToken) -> BoxFuture<'static, Result<()>> {
        Box::pin(self.work(shutdown))
    }

    async fn work(self, shutdown: CancellationToken) -> Result<()> {
        let context = self.context;
        if context.settings.exclusive {
            free_all(&context.table, &shutdown).await;
        }
        let (registry, wake, drained) = (Registry::default(), Arc::new(Notify::new()), CancellationToken::new());
        let work = async {
            worker::run(context.clone(), registry.clone(), wake.clone(), &shutdown).await;
            drained.cancel();
        };
        tokio::join!(
            work,
            worker::renew(&context, &registry, &drained),
            count(&context, &shutdown),
            Box::pin(consume(&context, &wake, &shutdown)),
            Box::pin(context.heard.clone().follow(context.log.clone(), context.commands.clone(), drained.clone())),
        );
        Ok(())
    }
}

/// Only those who lead turns note what there is to lead; what follows from it they give to the others.
async fn consume(context: &Context, wake: &Notify, shutdown: &CancellationToken) {
    if context.settings.does(Kind::Turn) {
        let (table, book) = (context.table.clone(), context.book.clone());
        consumer::run(context.log.clone(), table, book, wake, shutdown).await;
    }
}

/// All processes see the same table, so those who fill it count.
async fn count(context: &Context, shutdown: &CancellationToken) {
    if context.settings.does(Kind::Turn) {
        queue::measure(&context.table, shutdown).await;
    }
}

/// What an earlier process left behind is free at once.
async fn free_all(table: &WorkTable, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        match table.free_all().await {
            Ok(_) => return,
            Err(error) => tracing::warn!(%error, "the work of an earlier process could not be freed; trying again"),
        }
        shutdown.run_until_cancelled(tokio::time::sleep(Duration::from_millis(500))).await;
    }
}
