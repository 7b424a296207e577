//! The questions asked of the tables.

mod conversations;
mod messages;
mod tool_calls;
mod turns;

pub use tool_calls::Whose;

use std::time::Duration;

use database::{Database, Sql, sql};
use events::{ConversationId, PersonId, Sequence};
use tokio::time::Instant;

use crate::Result;
use crate::tables::signed;

/// The first pause between two looks at a conversation that is waited for, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(20)];

/// The tables, asked. Cheap to clone.
///
/// What a person may not see does not exist: another tenant's, or a conversation in which the person takes no part. Questions
/// without a person are about a conversation that the caller has got for a person before.
#[derive(Clone, Debug)]
pub struct ReadModel {
    database: Database,
}

impl ReadModel {
    /// Over the tables of this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Waits until the rows of a conversation hold this event, for `limit` at most; whether they do.
    ///
    /// # Errors
    /// The database.
    pub async fn wait_for(&self, id: ConversationId, sequence: Sequence, limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        let [mut pause, longest] = PAUSES;
        loop {
            let query = sql("select sequence from conversations where conversation = $1").bind(id.uuid());
            let stands: Option<(i64,)> = self.database.fetch_optional(query).await?;
            if stands.is_some_and(|(stands,)| stands >= signed(sequence)) || sequence == 0 {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
            pause = longest.min(pause * 2);
        }
    }
}

/// Appends a condition: only rows of conversations that a person may see.
fn visible(sql: Sql, tenant: &str, person: PersonId) -> Sql {
    sql.push(" and conversation in (select conversation from participants where (person) = ")
        .list([person.uuid()])
        .push(") and conversation in (select conversation from conversations where (tenant) = ")
        .list([tenant.to_owned()])
        .push(")")
}

#[cfg(test)]
mod tests;
