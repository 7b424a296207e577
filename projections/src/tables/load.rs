//! The rows that events change, into their row sets.

use std::collections::{BTreeSet, HashMap};

use database::{Row, Transaction, sql};
use events::ConversationId;
use uuid::Uuid;

use super::lists;
use super::stored::{MESSAGE, RUN, StoredMessage, StoredRun, StoredToolCall, StoredTurn, TOOL_CALL, TURN};
use crate::fold::{RowSet, Touched};
use crate::rows::{MessageRow, RunRow, ToolCallRow, TurnRow};
use crate::{Error, Result};

type Sets = HashMap<ConversationId, RowSet>;

/// Puts the rows that events change into their row sets, and those that these follow from: a turn's state is that of its runs,
/// a run's that of its open tool calls.
pub(crate) async fn load_touched(tx: &mut Transaction, touched: &Touched, sets: &mut Sets) -> Result<()> {
    let messages = touched.messages.iter().map(|id| id.uuid()).collect();
    for row in rows::<StoredMessage, MessageRow>(tx, MESSAGE, "messages where message in ", messages).await? {
        if let Some(set) = sets.get_mut(&row.conversation) {
            set.messages.load(row.id, row);
        }
    }
    let mut turns: BTreeSet<Uuid> = touched.turns.iter().map(|id| id.uuid()).collect();
    let calls = touched.tool_calls.iter().map(|id| id.uuid()).collect();
    for row in rows::<StoredToolCall, ToolCallRow>(tx, TOOL_CALL, "tool_calls where call in ", calls).await? {
        turns.insert(row.turn.uuid());
        load_tool_call(sets, row);
    }
    for ids in lists(touched.runs.iter().map(|id| id.uuid())) {
        let found: Vec<(Uuid,)> = tx.fetch_all(sql("select turn from runs where run in ").list(ids)).await?;
        turns.extend(found.into_iter().map(|(turn,)| turn));
    }
    for row in rows::<StoredTurn, TurnRow>(tx, TURN, "turns where turn in ", turns.clone()).await? {
        if let Some(set) = sets.get_mut(&row.conversation) {
            set.turns.load(row.id, row);
        }
    }
    for row in rows::<StoredRun, RunRow>(tx, RUN, "runs where turn in ", turns.clone()).await? {
        if let Some(set) = sets.get_mut(&row.conversation) {
            set.runs.load(row.id, row);
        }
    }
    let open = "tool_calls where ended_at is null and turn in ";
    for row in rows::<StoredToolCall, ToolCallRow>(tx, TOOL_CALL, open, turns).await? {
        load_tool_call(sets, row);
    }
    Ok(())
}

fn load_tool_call(sets: &mut Sets, row: ToolCallRow) {
    if let Some(set) = sets.get_mut(&row.conversation) {
        set.tool_calls.load(row.id, row);
    }
}

/// `from`: the table and a condition up to its list.
async fn rows<S: Row, R: TryFrom<S, Error = Error>>(
    tx: &mut Transaction,
    columns: &str,
    from: &str,
    ids: BTreeSet<Uuid>,
) -> Result<Vec<R>> {
    let mut rows = Vec::new();
    for ids in lists(ids) {
        let select = sql(format!("select {columns} from {from}")).list(ids);
        for stored in tx.fetch_all::<S>(select).await? {
            rows.push(R::try_from(stored)?);
        }
    }
    Ok(rows)
}
