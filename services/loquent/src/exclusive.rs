//! One process at a time: an embedded log shows only what its own process delivers, so two of them on one store would each
//! show half of the chunks.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::config::Store;
use crate::failure::{During, Failure, Outcome};

/// An advisory lock's number: "loquent" in ASCII.
const LOCK: i64 = 0x006c_6f71_7565_6e74;
/// How often the session that holds the lock is asked whether it still lives.
const PULSE: Duration = Duration::from_secs(5);

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

    /// Holds it until `shutdown`.
    ///
    /// # Errors
    /// The session was lost, and with it the right.
    pub(crate) async fn hold(self, shutdown: CancellationToken) -> Outcome<()> {
        let Self::Session(mut session) = self else {
            shutdown.cancelled().await;
            return Ok(());
        };
        while shutdown.run_until_cancelled(tokio::time::sleep(PULSE)).await.is_some() {
            session.ping().await.during("the session that keeps other processes off this store was lost")?;
        }
        session.close().await.during("the store")
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
