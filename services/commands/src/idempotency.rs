//! A command that comes twice is carried out once: the repeat gets the first one's answer.

use event_store::{EventStore, Idempotency};
use events::Record;
use keyring::Keyring;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::dispatch::Caller;
use crate::{Error, Result};

/// Events of a person's command at most.
const LONGEST_BATCH: usize = 8;

/// What marks the last event of a command that has a key. The fingerprint tells whether the repeat says the same: a keyed
/// digest, since the input holds what a person wrote.
pub(crate) async fn mark<T: Serialize>(
    keyring: &Keyring,
    caller: &Caller,
    command: &str,
    input: &T,
) -> Result<Option<Idempotency>> {
    let Some(key) = &caller.idempotency_key else {
        return Ok(None);
    };
    if key.is_empty() {
        return Err(Error::Invalid("an idempotency key must not be empty".into()));
    }
    let input = serde_json_canonicalizer::to_vec(input)
        .map_err(|_| Error::Invalid("the input holds a number that JSON cannot carry".into()))?;
    let fingerprint = keyring.fingerprint(caller.person, &input).await?;
    let key = digest(&[&caller.tenant, &caller.person.to_string(), command, key]);
    Ok(Some(Idempotency { key, fingerprint }))
}

/// SHA-256 over the parts, each with its length before it, so that no two lists of parts read alike.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// The events of the first command with this mark; `None`: there was none.
pub(crate) async fn first_answer(store: &EventStore, mark: &Idempotency) -> Result<Option<Vec<Record>>> {
    let Some((last, fingerprint)) = store.find_idempotent(&mark.key).await? else {
        return Ok(None);
    };
    if fingerprint != mark.fingerprint {
        return Err(Error::IdempotencyKeyReused);
    }
    batch(store, last).await.map(Some)
}

/// All events of the command that ended with this one. The id of a person's command's first event is the correlation of all
/// of them, and none has a cause; what follows from the command has one.
async fn batch(store: &EventStore, last: Record) -> Result<Vec<Record>> {
    if last.id == last.correlationid {
        return Ok(vec![last]);
    }
    let mut records = store.load_before(last.subject, last.sequence, LONGEST_BATCH).await?;
    records.retain(|record| record.correlationid == last.correlationid && record.causationid.is_none());
    records.push(last);
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_join_to_the_same_text_have_different_digests() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_ne!(digest(&["a", ""]), digest(&["a"]));
        assert_eq!(digest(&["a", "b"]).len(), 64);
    }
}
