//! Erasure: what a destroyed key sealed is noise from then on, in every copy.

use database::{Dialect, Transaction, sql};
use events::{ConversationId, PersonId};

use crate::{Keyring, Result, wrap};

/// Nonce, 32 bytes and tag: as long as what it overwrites.
const WRAPPED: usize = 60;

impl Keyring {
    /// Erases a person: the name behind the pseudonym, the person's key and all content keys under it. Who returns gets a new
    /// pseudonym. False: there was no such person. Other processes keep what they have cached for 60 s at most.
    ///
    /// # Errors
    /// The database; whether it took place is then unknown.
    pub async fn destroy_person(&self, person: PersonId) -> Result<bool> {
        let mut tx = self.database().begin().await?;
        overwrite(&mut tx, "persons", "person", person.uuid()).await?;
        overwrite(&mut tx, "content_keys", "person", person.uuid()).await?;
        // A key that is being made in this moment goes by the reference to its person.
        delete(&mut tx, "content_keys", "person", person.uuid()).await?;
        let destroyed = delete(&mut tx, "persons", "person", person.uuid()).await?;
        tx.commit().await?;
        self.after_destruction().await;
        Ok(destroyed > 0)
    }

    /// Erases a conversation's content, whoever wrote it, and answers how many keys went.
    ///
    /// # Errors
    /// The database; whether it took place is then unknown.
    pub async fn destroy_conversation(&self, conversation: ConversationId) -> Result<u64> {
        let mut tx = self.database().begin().await?;
        overwrite(&mut tx, "content_keys", "conversation", conversation.uuid()).await?;
        let destroyed = delete(&mut tx, "content_keys", "conversation", conversation.uuid()).await?;
        tx.commit().await?;
        self.after_destruction().await;
        Ok(destroyed)
    }

    async fn after_destruction(&self) {
        self.forget();
        if self.database().dialect() == Dialect::Sqlite {
            // The write-ahead log still holds pages from before. A reader may keep it from being cut: the next cut will do then.
            let _ = self.database().execute(sql("pragma loquent_keys.wal_checkpoint(truncate)")).await;
        }
    }
}

/// First overwritten: a deleted row's bytes stay in its page until somebody needs the room.
async fn overwrite(tx: &mut Transaction, table: &str, column: &str, id: uuid::Uuid) -> Result<u64> {
    let query = sql(format!("update loquent_keys.{table} set wrapped = $2 where {column} = $1"));
    Ok(tx.execute(query.bind(id).bind(wrap::random::<WRAPPED>().to_vec())).await?)
}

async fn delete(tx: &mut Transaction, table: &str, column: &str, id: uuid::Uuid) -> Result<u64> {
    Ok(tx.execute(sql(format!("delete from loquent_keys.{table} where {column} = $1")).bind(id)).await?)
}
