use std::collections::HashMap;

use database::{Database, Transaction, sql};
use events::{ConversationId, PersonId, Sequence};
use uuid::Uuid;

use super::lists;
use super::stored::{CONVERSATION, MESSAGE, RUN, StoredConversation, StoredMessage, StoredRun, StoredTurn, TURN};
use crate::Result;
use crate::fold::{RowSet, Touched};
use crate::rows::{ConversationRow, MessageRow, RunRow, TurnRow};

/// The conversations' own rows, without participants; those that have none are missing.
pub(crate) async fn conversations(tx: &mut Transaction, ids: &[ConversationId]) -> Result<Vec<ConversationRow>> {
    let mut rows = Vec::new();
    for ids in lists(ids.iter().map(ConversationId::uuid)) {
        let select =
            sql(format!("select {CONVERSATION} from conversations where sequence > 0 and conversation in ")).list(ids);
        let stored = tx.fetch_all::<StoredConversation>(select).await?;
        rows.extend(stored.into_iter().map(|stored| stored.row(Vec::new())).collect::<Result<Vec<_>>>()?);
    }
    Ok(rows)
}

/// Up to which event the rows stand; those that have none are missing. It reads nothing that could be damaged otherwise.
pub(crate) async fn sequences(tx: &mut Transaction, ids: &[ConversationId]) -> Result<Vec<(ConversationId, Sequence)>> {
    let mut all = Vec::new();
    for ids in lists(ids.iter().map(ConversationId::uuid)) {
        let select =
            sql("select conversation, sequence from conversations where sequence > 0 and conversation in ").list(ids);
        let rows: Vec<(Uuid, i64)> = tx.fetch_all(select).await?;
        let typed = |(id, sequence): (Uuid, i64)| (ConversationId::from_uuid(id), sequence.unsigned_abs());
        all.extend(rows.into_iter().map(typed));
    }
    Ok(all)
}

/// Puts the rows that events change into their row sets.
pub(crate) async fn load_touched(
    tx: &mut Transaction,
    touched: &Touched,
    sets: &mut HashMap<ConversationId, RowSet>,
) -> Result<()> {
    for ids in lists(touched.messages.iter().map(|id| id.uuid())) {
        let select = sql(format!("select {MESSAGE} from messages where message in ")).list(ids);
        for stored in tx.fetch_all::<StoredMessage>(select).await? {
            let row = MessageRow::try_from(stored)?;
            if let Some(set) = sets.get_mut(&row.conversation) {
                set.messages.load(row.id, row);
            }
        }
    }
    for ids in lists(touched.turns.iter().map(|id| id.uuid())) {
        let select = sql(format!("select {TURN} from turns where turn in ")).list(ids);
        for stored in tx.fetch_all::<StoredTurn>(select).await? {
            let row = TurnRow::try_from(stored)?;
            if let Some(set) = sets.get_mut(&row.conversation) {
                set.turns.load(row.id, row);
            }
        }
    }
    for ids in lists(touched.runs.iter().map(|id| id.uuid())) {
        let select = sql(format!("select {RUN} from runs where run in ")).list(ids);
        for stored in tx.fetch_all::<StoredRun>(select).await? {
            let row = RunRow::try_from(stored)?;
            if let Some(set) = sets.get_mut(&row.conversation) {
                set.runs.load(row.id, row);
            }
        }
    }
    Ok(())
}

/// Who takes part in each of these conversations, in the order of joining.
pub(crate) async fn participants(
    database: &Database,
    ids: impl IntoIterator<Item = ConversationId>,
) -> Result<HashMap<ConversationId, Vec<PersonId>>> {
    let mut all: HashMap<ConversationId, Vec<PersonId>> = HashMap::new();
    for ids in lists(ids.into_iter().map(|id| id.uuid())) {
        let select = sql("select conversation, person from participants where conversation in ")
            .list(ids)
            .push(" order by conversation, position, person");
        for (conversation, person) in database.fetch_all::<(Uuid, Uuid)>(select).await? {
            all.entry(ConversationId::from_uuid(conversation)).or_default().push(PersonId::from_uuid(person));
        }
    }
    Ok(all)
}
