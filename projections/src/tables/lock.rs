use database::{Transaction, sql};
use events::ConversationId;
use sqlx::types::Json;
use uuid::Uuid;

use super::{LIST, piece};
use crate::Result;

/// Makes this transaction the only one that writes rows of these conversations, whether they have rows yet or not. The ids must
/// be in ascending order: whoever takes several takes them in the same order, so nobody waits in a circle.
///
/// On PostgreSQL an insert that changes nothing on conflict locks the row that is there and holds the place of the one that is
/// not: such a place has sequence 0 and is filled before the commit. SQLite has one writer anyway.
pub(crate) async fn lock(tx: &mut Transaction, ids: &[ConversationId]) -> Result<()> {
    if let Transaction::Sqlite(_) = tx {
        return Ok(());
    }
    let mut rest = ids;
    while !rest.is_empty() {
        let (now, later) = piece(rest, LIST);
        let places = sql(
            "insert into conversations (conversation, tenant, starter, agents, created_at, updated_at, sequence) values ",
        )
        .values(now, |sql, id| {
            let never = chrono::DateTime::UNIX_EPOCH;
            let sql = sql.bind(id.uuid()).bind(String::new()).bind(Uuid::nil()).bind(Json(Vec::<String>::new()));
            sql.bind(never).bind(never).bind(0_i64)
        })
        .push(" on conflict (conversation) do update set sequence = conversations.sequence where false");
        tx.execute(places).await?;
        rest = later;
    }
    Ok(())
}
