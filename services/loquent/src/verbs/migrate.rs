//! `loquent migrate`.

use event_store::EventStore;

use super::print;
use crate::config::Config;
use crate::failure::{During, Outcome};
use crate::node;

/// Brings the database to this build's form, and its order to this cluster's after a restore.
///
/// # Errors
/// The database cannot be reached, or a migration failed.
pub(crate) async fn run(config: &Config) -> Outcome<()> {
    let database = node::open_database(config).await?;
    let missing = database.pending_migrations().await?;
    database.migrate().await.during("the store could not be migrated")?;
    for migration in &missing {
        print(format_args!("applied {migration}"))?;
    }
    let store = EventStore::new(database.clone()).await?;
    if store.repair_after_restore().await? {
        print("the store came from another cluster: its events were put in order again")?;
    }
    print("the database is up to date")?;
    database.close().await;
    Ok(())
}
