use database::sql;
use events::{ConversationId, Sequence};
use sqlx::types::Json;

use crate::load::big;
use crate::{EventStore, Result};

/// A stream's state after one of its events; only ever a shortcut, never the truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The event up to which the state counts.
    pub sequence: Sequence,
    /// That event's hash, which the next one names.
    pub hash: String,
    /// The state, in whatever form its owner reads.
    pub state: serde_json::Value,
}

impl EventStore {
    /// The newest snapshot of a stream.
    ///
    /// # Errors
    /// The database.
    pub async fn snapshot(&self, stream: ConversationId) -> Result<Option<Snapshot>> {
        let query = sql("select sequence, hash, state from snapshots where stream = $1").bind(stream.to_string());
        let row: Option<(i64, String, Json<serde_json::Value>)> = self.database().fetch_optional(query).await?;
        Ok(row.and_then(|(sequence, hash, Json(state))| {
            Some(Snapshot { sequence: Sequence::try_from(sequence).ok()?, hash, state })
        }))
    }

    /// Keeps a snapshot, unless a newer one is there.
    ///
    /// # Errors
    /// The database.
    pub async fn save_snapshot(&self, stream: ConversationId, snapshot: &Snapshot) -> Result<()> {
        let query = sql("insert into snapshots (stream, sequence, hash, state) values ($1, $2, $3, $4) \
             on conflict (stream) do update set sequence = excluded.sequence, hash = excluded.hash, state = excluded.state \
             where snapshots.sequence < excluded.sequence")
        .bind(stream.to_string())
        .bind(big(snapshot.sequence))
        .bind(snapshot.hash.clone())
        .bind(Json(snapshot.state.clone()));
        self.database().execute(query).await?;
        Ok(())
    }
}
