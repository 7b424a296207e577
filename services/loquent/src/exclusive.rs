//! One process at a time: an embedded log shows only what its own process delivers, so two of them on one store would each
//! show half of the chunks.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Store;
use crate::failure::{During, Failure, Outcome};

/// An advisory lock's number: "loquent" in ASCII.
const LOCK: i64 = 0x006c_6f71_7565_6e74;
/// How often the session that holds the lock is asked whether it still lives.
const PULSE: Duration = Duration::from_secs(5);
/// How often the right is asked for in vain, once a second, before it counts as somebody else's.
const REFUSALS: u32 = 30;

/// The right to be the only process with an embedded log on a store; given back when dropped, or when the process dies.
pub(crate) enum Exclusive {
    /// A locked file beside the database.
    File(#[expect(dead_code, reason = "held, not used")] File),
    /// A session with an advisory lock.
    Session(Box<PgConnection>),
}

impl Exclusive {
    /// Takes it.
    ///
    /// # Errors
    /// Another process has it.
    pub(crate) async fn take(store: &Store) -> Outcome<Self> {
        match store {
            Store::Sqlite(path) => file(path),
            Store::Postgres(url) => session(url).await,
        }
    }

    /// Holds it until `shutdown`. A session that was lost, as when the database starts anew, is opened again.
    ///
    /// # Errors
    /// Another process took the right meanwhile.
    pub(crate) async fn hold(self, store: Store, shutdown: CancellationToken) -> Outcome<()> {
        let Self::Session(mut session) = self else {
            shutdown.cancelled().await;
            return Ok(());
        };
        while shutdown.run_until_cancelled(sleep(PULSE)).await.is_some() {
            if session.ping().await.is_err() {
                let Some(again) = shutdown.run_until_cancelled(take_again(&store)).await else { break };
                session = again?;
            }
        }
        // The session ends with the process; the database may be away.
        Ok(())
    }
}

/// Takes the right once the database answers. What looks like another process may be our own old session, which the server
/// has not given up yet.
async fn take_again(store: &Store) -> Outcome<Box<PgConnection>> {
    tracing::warn!("the session that keeps other processes off this store was lost");
    let mut refusals = 0;
    loop {
        match Exclusive::take(store).await {
            Ok(Exclusive::Session(session)) => return Ok(session),
            Err(failure) if failure.message() == taken("this database").message() => {
                refusals += 1;
                if refusals > REFUSALS {
                    return Err(failure);
                }
            }
            _ => {}
        }
        sleep(Duration::from_secs(1)).await;
    }
}

fn file(database: &Path) -> Outcome<Exclusive> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = Path::new(&name);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    let file = file.during(&path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(Exclusive::File(file)),
        Err(TryLockError::WouldBlock) => Err(taken(&database.display().to_string())),
        Err(TryLockError::Error(error)) => Err(error).during(&path.display().to_string()),
    }
}

async fn session(url: &str) -> Outcome<Exclusive> {
    let mut session = PgConnection::connect(url).await.during("the store")?;
    let query = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK);
    let locked: bool = query.fetch_one(&mut session).await.during("the store")?;
    if locked { Ok(Exclusive::Session(Box::new(session))) } else { Err(taken("this database")) }
}

fn taken(store: &str) -> Failure {
    Failure::failed(format!(
        "another loquent process already serves {store} with an embedded log; stop it, use another --data-dir, or run \
         several processes with --store postgres://… and --log kafka://…"
    ))
}
