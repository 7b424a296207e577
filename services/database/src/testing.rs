//! Fresh, migrated databases for tests.

use sqlx::Connection;
use tempfile::TempDir;

use crate::Database;

/// A database of its own for one test; an SQLite file goes when this is dropped.
pub struct TestDatabase {
    /// The open database.
    pub database: Database,
    /// Its address, for a second connection or another process.
    pub url: String,
    _folder: Option<TempDir>,
}

/// A fresh SQLite database, and a fresh PostgreSQL database if `TEST_DATABASE_URL` names a server.
///
/// # Panics
/// A database cannot be made.
pub async fn databases() -> Vec<TestDatabase> {
    let mut all = vec![sqlite().await];
    all.extend(postgres().await);
    all
}

/// A fresh SQLite database.
///
/// # Panics
/// It cannot be made.
pub async fn sqlite() -> TestDatabase {
    let folder = TempDir::new().expect("a temporary folder");
    let url = format!("sqlite://{}", folder.path().join("loquent.db").display());
    migrated(url, Some(folder)).await
}

/// A fresh PostgreSQL database, if `TEST_DATABASE_URL` names a server.
///
/// # Panics
/// It cannot be made.
pub async fn postgres() -> Option<TestDatabase> {
    let server = std::env::var("TEST_DATABASE_URL").ok()?;
    let name = format!("test_{}", uuid::Uuid::now_v7().simple());
    let mut connection = sqlx::PgConnection::connect(&server).await.expect("TEST_DATABASE_URL");
    sqlx::raw_sql(&format!("create database {name}")).execute(&mut connection).await.expect("create database");
    let (address, _) = server.rsplit_once('/').expect("postgres://…/database");
    Some(migrated(format!("{address}/{name}"), None).await)
}

async fn migrated(url: String, folder: Option<TempDir>) -> TestDatabase {
    let database = Database::connect(&url).await.expect("connect");
    database.migrate().await.expect("migrate");
    TestDatabase { database, url, _folder: folder }
}
