//! Who stands behind a pseudonym.

use std::collections::HashMap;
use std::sync::Arc;

use database::sql;
use events::PersonId;
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::keyring::ATTEMPTS;
use crate::wrap::{self, Secret};
use crate::{Error, Keyring, Result};

/// Persons asked for in one statement.
const AT_ONCE: usize = 1000;
/// Three such names fit into an entry of PostgreSQL's index.
const LONGEST_NAME: usize = 512;

impl Keyring {
    /// The pseudonym of (tenant, issuer, subject); made when they are first seen, and made anew when they return after an
    /// erasure.
    ///
    /// # Errors
    /// [`Error::UnusableName`], or the database.
    pub fn person<'a>(&'a self, tenant: &'a str, issuer: &'a str, subject: &'a str) -> BoxFuture<'a, Result<PersonId>> {
        Box::pin(self.find_or_make_person(tenant, issuer, subject))
    }

    async fn find_or_make_person(&self, tenant: &str, issuer: &str, subject: &str) -> Result<PersonId> {
        for _ in 0..ATTEMPTS {
            if let Some(person) = self.find_person(tenant, issuer, subject).await? {
                return Ok(person);
            }
            let person = PersonId::generate();
            let wrapped = wrap::encrypt(&self.0.master.0, &place(person), wrap::random::<32>().as_slice());
            let insert = sql("insert into loquent_keys.persons (person, tenant, issuer, subject, wrapped) \
                 values ($1, $2, $3, $4, $5) on conflict (tenant, issuer, subject) do nothing")
            .bind(person.uuid())
            .bind(tenant.to_owned())
            .bind(issuer.to_owned())
            .bind(subject.to_owned())
            .bind(wrapped);
            self.database().execute(insert).await?;
        }
        Err(Error::Unsettled)
    }

    /// The pseudonym of somebody who was seen before.
    ///
    /// # Errors
    /// [`Error::UnusableName`], or the database.
    pub async fn find_person(&self, tenant: &str, issuer: &str, subject: &str) -> Result<Option<PersonId>> {
        if [tenant, issuer, subject].iter().any(|name| name.len() > LONGEST_NAME || name.contains('\0')) {
            return Err(Error::UnusableName);
        }
        let name = (tenant.to_owned(), issuer.to_owned(), subject.to_owned());
        if let Some(person) = self.0.persons.get(&name) {
            return Ok(Some(person));
        }
        let look = sql("select person from loquent_keys.persons where tenant = $1 and issuer = $2 and subject = $3")
            .bind(name.0.clone())
            .bind(name.1.clone())
            .bind(name.2.clone());
        let row: Option<(Uuid,)> = self.database().fetch_optional(look).await?;
        let person = row.map(|(uuid,)| PersonId::from_uuid(uuid));
        if let Some(person) = person {
            self.0.persons.insert(name, person);
        }
        Ok(person)
    }

    /// The subjects behind pseudonyms, for the doors to show; those of erased persons are missing.
    ///
    /// # Errors
    /// The database.
    pub fn subjects<'a>(&'a self, persons: &'a [PersonId]) -> BoxFuture<'a, Result<HashMap<PersonId, String>>> {
        Box::pin(self.find_subjects(persons))
    }

    async fn find_subjects(&self, persons: &[PersonId]) -> Result<HashMap<PersonId, String>> {
        let mut found = HashMap::with_capacity(persons.len());
        let mut unknown = Vec::new();
        for &person in persons {
            match self.0.subjects.get(&person) {
                Some(subject) => drop(found.insert(person, subject)),
                None => unknown.push(person.uuid()),
            }
        }
        for some in unknown.chunks(AT_ONCE) {
            let look = sql("select person, subject from loquent_keys.persons where person in ").list(some.to_vec());
            for (uuid, subject) in self.database().fetch_all::<(Uuid, String)>(look).await? {
                let person = PersonId::from_uuid(uuid);
                self.0.subjects.insert(person, subject.clone());
                found.insert(person, subject);
            }
        }
        Ok(found)
    }

    /// The key that wraps a person's content keys.
    pub(crate) async fn person_key(&self, person: PersonId) -> Result<Arc<Secret>> {
        if let Some(key) = self.0.person_keys.get(&person) {
            return Ok(key);
        }
        let wrapped = self.stored_person_key(person).await?.ok_or(Error::NoSuchPerson(person))?;
        let key = Arc::new(self.unwrap_person_key(person, &wrapped)?);
        self.0.person_keys.insert(person, key.clone());
        Ok(key)
    }

    pub(crate) async fn stored_person_key(&self, person: PersonId) -> Result<Option<Vec<u8>>> {
        let look = sql("select wrapped from loquent_keys.persons where person = $1").bind(person.uuid());
        let row: Option<(Vec<u8>,)> = self.database().fetch_optional(look).await?;
        Ok(row.map(|(wrapped,)| wrapped))
    }

    pub(crate) fn unwrap_person_key(&self, person: PersonId, wrapped: &[u8]) -> Result<Secret> {
        wrap::unwrap(&self.0.master.0, &place(person), wrapped)
            .ok_or(Error::DamagedKey("a person's key does not unwrap under the master key"))
    }
}

/// What a person's key is bound to, so that rows cannot be exchanged.
fn place(person: PersonId) -> String {
    format!("person key {person}")
}
