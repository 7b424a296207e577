//! All rows anew, from the store.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use database::{Database, Dialect, sql};
use event_store::EventStore;
use events::{ConversationId, Record, Sequence};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::apply::{fold, fold_in, save};
use crate::fold::{Entry, RowSet};
use crate::{Result, tables};

/// Events that one transaction writes, more or less; and the page in which a larger conversation is read.
const EVENTS: usize = 1000;
/// Streams that are listed at once.
const STREAMS: usize = 2000;

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Conversations written.
    pub conversations: u64,
    /// Events folded.
    pub events: u64,
}

/// What a rebuild did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Conversations written.
    pub conversations: u64,
    /// Events folded.
    pub events: u64,
    /// Conversations removed, because the store has no such stream.
    pub removed: u64,
}

/// Writes all rows anew from the store. Live projectors go on beside it: each conversation is locked while its rows are
/// replaced, and never goes back behind what they wrote. `progress` is called after each transaction.
///
/// # Errors
/// The database or the store; conversations that were written until then are whole.
pub async fn rebuild(database: &Database, store: &EventStore, progress: impl FnMut(Progress)) -> Result<Rebuilt> {
    let mut work = Work { database, store, tasks: JoinSet::new(), progress, done: Progress::default() };
    let mut removed = 0;
    let mut after = None;
    loop {
        let streams = store.streams(after, STREAMS).await?;
        for group in groups(&streams) {
            work.begin(group).await?;
        }
        let last = streams.last().map(|(id, _)| *id);
        removed += remove_strangers(database, store, after, last, &streams).await?;
        if last.is_none() {
            break;
        }
        after = last;
    }
    work.finish().await?;
    remove_leftovers(database).await?;
    Ok(Rebuilt { conversations: work.done.conversations, events: work.done.events, removed })
}

/// Neighbouring streams that one transaction writes.
type Group = Vec<(ConversationId, Sequence)>;

fn groups(streams: &[(ConversationId, Sequence)]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut events = 0;
    for stream in streams {
        let length = stream.1;
        match groups.last_mut() {
            Some(group) if events + length <= EVENTS as u64 => {
                group.push(*stream);
                events += length;
            }
            _ => {
                groups.push(vec![*stream]);
                events = length;
            }
        }
    }
    groups
}

/// Transactions under way.
struct Work<'a, P> {
    database: &'a Database,
    store: &'a EventStore,
    tasks: JoinSet<Result<Progress>>,
    progress: P,
    done: Progress,
}

impl<P: FnMut(Progress)> Work<'_, P> {
    async fn begin(&mut self, group: Group) -> Result<()> {
        // SQLite has one writer: one group is read while another is written.
        let at_once = match self.database.dialect() {
            Dialect::Postgres => 4,
            Dialect::Sqlite => 2,
        };
        while self.tasks.len() >= at_once {
            self.next().await?;
        }
        let (database, store) = (self.database.clone(), self.store.clone());
        self.tasks.spawn(async move {
            match group.as_slice() {
                [(id, last)] if *last > EVENTS as u64 => large(&database, &store, *id).await,
                group => small(&database, &store, group).await,
            }
        });
        Ok(())
    }

    async fn next(&mut self) -> Result<()> {
        if let Some(done) = self.tasks.join_next().await {
            let done = done??;
            self.done.conversations += done.conversations;
            self.done.events += done.events;
            (self.progress)(self.done);
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        while !self.tasks.is_empty() {
            self.next().await?;
        }
        Ok(())
    }
}

/// Several conversations, short enough to be folded in memory at once.
async fn small(database: &Database, store: &EventStore, group: &[(ConversationId, Sequence)]) -> Result<Progress> {
    let (Some((first, _)), Some((last, _))) = (group.first(), group.last()) else { return Ok(Progress::default()) };
    let entries = entries(store.load_range(*first, *last, 0, usize::MAX).await?)?;
    let ids: BTreeSet<_> = entries.iter().map(Entry::conversation).collect();
    replace(database, store, ids.into_iter().collect(), &entries).await
}

/// Puts the rows that the events lead to in the place of those that are there.
async fn replace(
    database: &Database,
    store: &EventStore,
    ids: Vec<ConversationId>,
    read: &[Entry],
) -> Result<Progress> {
    let mut sets: HashMap<_, _> = ids.iter().map(|id| (*id, RowSet::new(*id))).collect();
    let mut events = fold_in(&mut sets, read)?;
    let mut tx = database.begin().await?;
    tables::lock(&mut tx, &ids).await?;
    for (id, stands) in tables::sequences(&mut tx, &ids).await? {
        // A live projector was faster: what it wrote must not be taken back.
        let Some(set) = sets.get_mut(&id) else { continue };
        if stands > set.sequence() {
            let later = store.load_range(id, id, set.sequence(), usize::MAX).await?;
            for entry in entries(later)? {
                events += u64::from(set.apply(&entry)?);
            }
        }
    }
    tables::delete(&mut tx, &ids).await?;
    save(&mut tx, &sets).await?;
    tx.commit().await?;
    Ok(Progress { conversations: ids.len() as u64, events })
}

/// One conversation, page by page, so that memory does not grow with it.
async fn large(database: &Database, store: &EventStore, id: ConversationId) -> Result<Progress> {
    let mut events = 0;
    let mut tx = database.begin().await?;
    tables::lock(&mut tx, &[id]).await?;
    tables::delete(&mut tx, &[id]).await?;
    let mut conversation = None;
    loop {
        let set = RowSet::at(id, conversation.take());
        let page = entries(store.load_range(id, id, set.sequence(), EVENTS).await?)?;
        let is_last = page.len() < EVENTS;
        let mut sets = HashMap::from([(id, set)]);
        events += fold(&mut tx, &mut sets, &page).await?;
        conversation = sets.remove(&id).and_then(|set| set.conversation);
        if is_last {
            break;
        }
    }
    tx.commit().await?;
    Ok(Progress { conversations: 1, events })
}

fn entries(rows: Vec<event_store::Result<Record>>) -> Result<Vec<Entry>> {
    let entry = |row| match row {
        Ok(record) => Ok(Entry::of(Arc::new(record))),
        Err(event_store::Error::Unreadable { stream, sequence, .. }) => Ok(Entry::Unreadable(stream, sequence)),
        Err(error) => Err(error.into()),
    };
    rows.into_iter().map(entry).collect()
}

/// Removes the conversations after `after`, up to `last` where there is one, of which the store knows nothing.
async fn remove_strangers(
    database: &Database,
    store: &EventStore,
    after: Option<ConversationId>,
    last: Option<ConversationId>,
    streams: &[(ConversationId, Sequence)],
) -> Result<u64> {
    let known: BTreeSet<_> = streams.iter().map(|(id, _)| *id).collect();
    let bound = |id: Option<ConversationId>, end: Uuid| id.map_or(end, |id| id.uuid());
    let query = sql("select conversation from conversations where conversation > $1 and conversation <= $2")
        .bind(bound(after, Uuid::nil()))
        .bind(bound(last, Uuid::max()));
    let rows: Vec<(Uuid,)> = database.fetch_all(query).await?;
    let mut removed = 0;
    for id in rows.into_iter().map(|(id,)| ConversationId::from_uuid(id)).filter(|id| !known.contains(id)) {
        // It may have begun a moment ago.
        if store.last_sequence(id).await? > 0 {
            continue;
        }
        let mut tx = database.begin().await?;
        tables::lock(&mut tx, &[id]).await?;
        tables::delete(&mut tx, &[id]).await?;
        tx.execute(sql("delete from conversations where conversation = $1").bind(id.uuid())).await?;
        tx.commit().await?;
        removed += 1;
    }
    Ok(removed)
}

/// Removes rows of conversations that have no row themselves.
async fn remove_leftovers(database: &Database) -> Result<()> {
    for table in tables::PARTS {
        let text = format!(
            "delete from {table} where not exists (select 1 from conversations \
             where conversations.conversation = {table}.conversation)"
        );
        database.execute(sql(text)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
