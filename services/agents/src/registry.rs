//! What this process works on, and how to tell it that a lease is gone.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::work::Key;

/// All work in hand. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<InHand>>);

#[derive(Default)]
struct InHand {
    /// Holders so far.
    count: u64,
    /// Freed and taken again by this process, work may have two holders for a moment.
    holders: HashMap<Key, Vec<(u64, CancellationToken)>>,
}

/// Keeps a piece of work in the registry as long as it lives, whatever becomes of the task that holds it.
pub(crate) struct Held {
    registry: Registry,
    key: Key,
    number: u64,
    /// Cancelled when the lease is gone.
    pub(crate) lost: CancellationToken,
}

impl Registry {
    pub(crate) fn hold(&self, key: Key) -> Held {
        let lost = CancellationToken::new();
        let number = self.with(|hand| {
            hand.count += 1;
            hand.holders.entry(key).or_default().push((hand.count, lost.clone()));
            hand.count
        });
        Held { registry: self.clone(), key, number, lost }
    }

    pub(crate) fn keys(&self) -> HashSet<Key> {
        self.with(|hand| hand.holders.keys().copied().collect())
    }

    /// Tells the holder, if there still is one.
    pub(crate) fn lose(&self, key: &Key) -> bool {
        self.with(|hand| hand.holders.get(key).inspect(|all| all.iter().for_each(|(_, lost)| lost.cancel())).is_some())
    }

    pub(crate) fn lose_all(&self) {
        self.with(|hand| hand.holders.values().flatten().for_each(|(_, lost)| lost.cancel()));
    }

    fn with<T>(&self, act: impl FnOnce(&mut InHand) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.registry.with(|hand| {
            if let Some(all) = hand.holders.get_mut(&self.key) {
                all.retain(|(number, _)| *number != self.number);
                if all.is_empty() {
                    hand.holders.remove(&self.key);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use events::ConversationId;

    use super::*;
    use crate::work::Task;

    #[test]
    fn an_old_holder_that_ends_leaves_the_new_one_held() {
        let (registry, key) = (Registry::default(), (ConversationId::generate(), Task::Turn));
        let (old, new) = (registry.hold(key), registry.hold(key));
        drop(old);
        assert!(registry.keys().contains(&key) && registry.lose(&key) && new.lost.is_cancelled());
        drop(new);
        assert!(registry.keys().is_empty());
    }
}
