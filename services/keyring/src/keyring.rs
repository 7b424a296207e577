use std::sync::Arc;
use std::time::Duration;

use database::{Database, sql};
use events::{ConversationId, Field, KeyId, PersonId, Sealed};
use futures::future::BoxFuture;
use moka::sync::Cache;
use uuid::Uuid;

use crate::content::check_version;
use crate::wrap::{self, Secret};
use crate::{ContentKey, Error, MasterKey, Result};

/// An erasure by another process is felt here after this time at the latest.
const CACHED: Duration = Duration::from_secs(60);
/// Entries of each cache.
const CAPACITY: u64 = 10_000;
/// What the check value holds, and where.
const CHECK: (&str, &[u8]) = ("master key check", b"loquent");
/// A person's keys come and go; who finds them gone this often in a row gives up.
pub(crate) const ATTEMPTS: usize = 8;

/// All persons and their keys, in the keys' own part of the store. Cheap to clone; clones share their caches.
#[derive(Clone)]
pub struct Keyring(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) master: MasterKey,
    /// (tenant, issuer, subject) to pseudonym.
    pub(crate) persons: Cache<(String, String, String), PersonId>,
    pub(crate) subjects: Cache<PersonId, String>,
    pub(crate) person_keys: Cache<PersonId, Arc<Secret>>,
    own_keys: Cache<(PersonId, ConversationId), ContentKey>,
    /// By id; `None` for a destroyed one: it never comes back.
    opening_keys: Cache<KeyId, Option<ContentKey>>,
}

impl Keyring {
    /// Over a migrated database.
    #[must_use]
    pub fn new(database: Database, master: MasterKey) -> Self {
        Self(Arc::new(Inner {
            database,
            master,
            persons: cache(),
            subjects: cache(),
            person_keys: cache(),
            own_keys: cache(),
            opening_keys: cache(),
        }))
    }

    /// Whether the store's keys are under this master key; the first start decides which it is.
    ///
    /// # Errors
    /// [`Error::WrongMasterKey`], or the database.
    pub async fn verify_master_key(&self) -> Result<()> {
        let look = || sql("select wrapped from loquent_keys.master_key where id = 1");
        let mut row: Option<(Vec<u8>,)> = self.database().fetch_optional(look()).await?;
        if row.is_none() {
            let wrapped = wrap::encrypt(&self.0.master.0, CHECK.0, CHECK.1);
            let insert = sql("insert into loquent_keys.master_key (id, wrapped) values (1, $1) on conflict do nothing");
            self.database().execute(insert.bind(wrapped)).await?;
            row = self.database().fetch_optional(look()).await?;
        }
        let opened = row.and_then(|(wrapped,)| wrap::decrypt(&self.0.master.0, CHECK.0, &wrapped));
        if opened.is_some_and(|value| value.as_slice() == CHECK.1) { Ok(()) } else { Err(Error::WrongMasterKey) }
    }

    /// The key for what a person has in a conversation; made when it is first asked for.
    ///
    /// # Errors
    /// [`Error::NoSuchPerson`] after an erasure, or the database.
    pub fn content_key(&self, person: PersonId, conversation: ConversationId) -> BoxFuture<'_, Result<ContentKey>> {
        Box::pin(self.find_or_make_content_key(person, conversation))
    }

    async fn find_or_make_content_key(&self, person: PersonId, conversation: ConversationId) -> Result<ContentKey> {
        if let Some(key) = self.0.own_keys.get(&(person, conversation)) {
            return Ok(key);
        }
        let wrapping = self.person_key(person).await?;
        for _ in 0..ATTEMPTS {
            if let Some(key) = self.find_content_key(person, conversation, &wrapping).await? {
                self.0.own_keys.insert((person, conversation), key.clone());
                return Ok(key);
            }
            self.make_content_key(person, conversation, &wrapping).await?;
        }
        Err(Error::Unsettled)
    }

    async fn find_content_key(
        &self,
        person: PersonId,
        conversation: ConversationId,
        wrapping: &Secret,
    ) -> Result<Option<ContentKey>> {
        let look = sql("select key, wrapped from loquent_keys.content_keys where person = $1 and conversation = $2")
            .bind(person.uuid())
            .bind(conversation.uuid());
        let Some((key, wrapped)) = self.database().fetch_optional::<(Uuid, Vec<u8>)>(look).await? else {
            return Ok(None);
        };
        unwrapped(KeyId::from_uuid(key), person, conversation, wrapping, &wrapped).map(Some)
    }

    async fn make_content_key(&self, person: PersonId, conversation: ConversationId, wrapping: &Secret) -> Result<()> {
        let id = KeyId::generate();
        let wrapped = wrap::encrypt(wrapping, &place(id, person, conversation), wrap::random::<32>().as_slice());
        // The person's row is asked for, so that an erased person gets no key; the reference holds an erasure off meanwhile.
        let insert = sql("insert into loquent_keys.content_keys (key, person, conversation, wrapped) \
             select $1, person, $3, $4 from loquent_keys.persons where person = $2 on conflict do nothing")
        .bind(id.uuid())
        .bind(person.uuid())
        .bind(conversation.uuid())
        .bind(wrapped);
        let made = match self.database().execute(insert).await {
            Ok(rows) => rows == 1,
            Err(database::Error::Sql(sqlx::Error::Database(error))) if error.is_foreign_key_violation() => false,
            Err(error) => return Err(error.into()),
        };
        if !made && self.stored_person_key(person).await?.is_none() {
            self.forget();
            return Err(Error::NoSuchPerson(person));
        }
        Ok(())
    }

    /// Opens a sealed value that stands in `field`; `None` when its key was destroyed.
    ///
    /// # Errors
    /// [`Error::DamagedValue`] when it was altered or does not belong to that field, or the database.
    pub fn open<'a>(&'a self, sealed: &'a Sealed, field: &'a Field<'_>) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async move {
            check_version(sealed)?;
            let key = match self.0.opening_keys.get(&sealed.k) {
                Some(key) => key,
                None => {
                    let key = self.stored_key(sealed.k).await?;
                    self.0.opening_keys.insert(sealed.k, key.clone());
                    key
                }
            };
            key.map(|key| key.open(sealed, field)).transpose()
        })
    }

    async fn stored_key(&self, id: KeyId) -> Result<Option<ContentKey>> {
        let look = sql("select content.person, content.conversation, content.wrapped, persons.wrapped \
             from loquent_keys.content_keys content join loquent_keys.persons persons on persons.person = content.person \
             where content.key = $1")
        .bind(id.uuid());
        let row: Option<(Uuid, Uuid, Vec<u8>, Vec<u8>)> = self.database().fetch_optional(look).await?;
        let Some((person, conversation, wrapped, person_wrapped)) = row else { return Ok(None) };
        let (person, conversation) = (PersonId::from_uuid(person), ConversationId::from_uuid(conversation));
        let wrapping = self.unwrap_person_key(person, &person_wrapped)?;
        unwrapped(id, person, conversation, &wrapping, &wrapped).map(Some)
    }

    /// HMAC-SHA256 in lower-case hex under a key derived from the person's: tells whether two inputs are the same, and nothing
    /// to whoever has not the key.
    ///
    /// # Errors
    /// [`Error::NoSuchPerson`] after an erasure, or the database.
    pub fn fingerprint<'a>(&'a self, person: PersonId, input: &'a [u8]) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let key = self.person_key(person).await?;
            Ok(wrap::digest(&wrap::derive(&key, "loquent fingerprint v1"), input))
        })
    }

    /// Drops all cached keys and names, because an erasure was seen.
    pub fn forget(&self) {
        self.0.persons.invalidate_all();
        self.0.subjects.invalidate_all();
        self.0.person_keys.invalidate_all();
        self.0.own_keys.invalidate_all();
        self.0.opening_keys.invalidate_all();
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }
}

fn cache<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(CAPACITY).time_to_live(CACHED).build()
}

/// What a content key's wrapping is bound to, so that rows cannot be exchanged.
fn place(id: KeyId, person: PersonId, conversation: ConversationId) -> String {
    format!("content key {id}/{person}/{conversation}")
}

fn unwrapped(
    id: KeyId,
    person: PersonId,
    conversation: ConversationId,
    wrapping: &Secret,
    wrapped: &[u8],
) -> Result<ContentKey> {
    let secret = wrap::unwrap(wrapping, &place(id, person, conversation), wrapped)
        .ok_or(Error::DamagedKey("a content key does not unwrap under its person's"))?;
    Ok(ContentKey::new(id, secret))
}
