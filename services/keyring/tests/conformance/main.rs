//! One suite for both engines: SQLite always, PostgreSQL when `TEST_DATABASE_URL` names a server.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests fail as tests do")]

mod erasure;
mod keys;
mod persons;

use database::testing::{TestDatabase, databases};
use events::{ConversationId, Field, MessageId};
use keyring::{Keyring, MasterKey};

/// A keyring over a fresh database, and its master key in base64.
struct Fresh {
    keyring: Keyring,
    database: TestDatabase,
    master: String,
}

impl Fresh {
    /// Another process's: the same store and master key, nothing cached.
    fn elsewhere(&self) -> Keyring {
        Keyring::new(self.database.database.clone(), self.master.parse().unwrap())
    }
}

async fn keyrings() -> Vec<Fresh> {
    let mut all = Vec::new();
    for database in databases().await {
        let master = MasterKey::generate().to_base64();
        let keyring = Keyring::new(database.database.clone(), master.parse().unwrap());
        keyring.verify_master_key().await.unwrap();
        all.push(Fresh { keyring, database, master });
    }
    all
}

fn text_of(conversation: ConversationId, message: MessageId) -> Field<'static> {
    Field::new("default", conversation, message, "text")
}
