use std::collections::{BTreeMap, BTreeSet};

/// Rows by id. A row counts as changed as soon as it is touched.
#[derive(Debug)]
pub(crate) struct Table<K, R> {
    pub(super) rows: BTreeMap<K, R>,
    changed: BTreeSet<K>,
}

impl<K: Copy + Ord, R> Table<K, R> {
    pub(super) fn new() -> Self {
        Self { rows: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// A row as the database has it.
    pub(crate) fn load(&mut self, key: K, row: R) {
        self.rows.insert(key, row);
    }

    pub(crate) fn changed(&self) -> impl Iterator<Item = &R> {
        self.changed.iter().filter_map(|key| self.rows.get(key))
    }

    pub(super) fn get(&self, key: K) -> Option<&R> {
        self.rows.get(&key)
    }

    pub(super) fn put(&mut self, key: K, row: R) {
        self.rows.insert(key, row);
        self.changed.insert(key);
    }

    /// A row that is not there is left out: its own event could not be read, and what followed it has nowhere to go.
    pub(super) fn change(&mut self, key: K, change: impl FnOnce(&mut R)) {
        if let Some(row) = self.rows.get_mut(&key) {
            change(row);
            self.changed.insert(key);
        }
    }

    pub(super) fn change_all(&mut self, which: impl Fn(&R) -> bool, change: impl Fn(&mut R)) {
        for (key, row) in self.rows.iter_mut().filter(|(_, row)| which(row)) {
            change(row);
            self.changed.insert(*key);
        }
    }
}
