//! Events into rows, within one transaction.

use std::collections::{BTreeSet, HashMap};

use database::Transaction;
use events::ConversationId;

use crate::Result;
use crate::fold::{Entry, RowSet, Touched};
use crate::tables;

/// Folds events of any conversations, each conversation's in order, into the rows that there are. Answers how many of them were
/// new.
pub(crate) async fn apply(tx: &mut Transaction, entries: &[Entry]) -> Result<u64> {
    // Sequences begin at 1: what claims another is nobody's event and makes no rows.
    let ids: BTreeSet<_> = entries.iter().filter(|entry| entry.sequence() > 0).map(Entry::conversation).collect();
    let ids: Vec<ConversationId> = ids.into_iter().collect();
    tables::lock(tx, &ids).await?;
    let mut sets: HashMap<_, _> = ids.iter().map(|id| (*id, RowSet::new(*id))).collect();
    for row in tables::conversations(tx, &ids).await? {
        sets.insert(row.id, RowSet::at(row.id, Some(row)));
    }
    fold(tx, &mut sets, entries).await
}

/// As [`apply`], with the conversations locked and their own rows loaded.
pub(crate) async fn fold(
    tx: &mut Transaction,
    sets: &mut HashMap<ConversationId, RowSet>,
    entries: &[Entry],
) -> Result<u64> {
    let mut touched = Touched::default();
    let is_new = |entry: &&Entry| sets.get(&entry.conversation()).is_some_and(|set| entry.sequence() > set.sequence());
    entries.iter().filter(is_new).for_each(|entry| touched.add(entry));
    tables::load_touched(tx, &touched, sets).await?;
    let applied = fold_in(sets, entries)?;
    save(tx, sets).await?;
    Ok(applied)
}

/// Without the database. Entries of conversations that are not among the sets are left out.
pub(crate) fn fold_in(sets: &mut HashMap<ConversationId, RowSet>, entries: &[Entry]) -> Result<u64> {
    let mut applied = 0;
    for entry in entries {
        if let Some(set) = sets.get_mut(&entry.conversation()) {
            applied += u64::from(set.apply(entry)?);
        }
    }
    Ok(applied)
}

pub(crate) async fn save(tx: &mut Transaction, sets: &HashMap<ConversationId, RowSet>) -> Result<()> {
    let changed: Vec<_> = sets.values().filter(|set| set.is_changed()).collect();
    tables::save(tx, &changed).await
}
