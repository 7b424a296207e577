use std::collections::HashMap;

use database::{Database, Transaction, sql};
use events::{ConversationId, PersonId, Sequence};
use uuid::Uuid;

use super::lists;
use super::stored::{CONVERSATION, StoredConversation};
use crate::Result;
use crate::rows::ConversationRow;

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
