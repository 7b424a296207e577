//! What this process works on, and how to tell it that a lease is gone.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::work::Key;

/// All work in hand. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<HashMap<Key, CancellationToken>>>);

/// Keeps a piece of work in the registry as long as it lives, whatever becomes of the task that holds it.
pub(crate) struct Held {
    registry: Registry,
    key: Key,
    /// Cancelled when the lease is gone.
    pub(crate) lost: CancellationToken,
}

impl Registry {
    pub(crate) fn hold(&self, key: Key) -> Held {
        let lost = CancellationToken::new();
        self.with(|held| held.insert(key, lost.clone()));
        Held { registry: self.clone(), key, lost }
    }

    pub(crate) fn keys(&self) -> HashSet<Key> {
        self.with(|held| held.keys().copied().collect())
    }

    /// Tells the holder, if there still is one.
    pub(crate) fn lose(&self, key: &Key) -> bool {
        self.with(|held| held.get(key).inspect(|lost| lost.cancel()).is_some())
    }

    pub(crate) fn lose_all(&self) {
        self.with(|held| held.values().for_each(CancellationToken::cancel));
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Key, CancellationToken>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.registry.with(|held| held.remove(&self.key));
    }
}
