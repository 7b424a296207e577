//! What was said and done in a conversation, read backwards until a model would be shown no more of it.

mod reader;
mod runs;

use events::{ChunkTable, Sequence};

use commands::{Loaded, Run, Turn};

use crate::Result;
use crate::answer::Parts;
use crate::context::Context;
use crate::prompt::Past;

use reader::Reader;

/// Events of one read.
const PAGE: usize = 256;

/// What a run's prompt is made of, and where the run stands.
pub(crate) struct History {
    /// What was said before, up to the limit.
    pub(crate) past: Vec<Past>,
    /// Up to where persons' messages count: the message that is answered, or the plan where there is none.
    pub(crate) limit: Sequence,
    /// Messages that steer the turn.
    pub(crate) steering: Vec<Past>,
    /// What the steps before it produced: agent and text.
    pub(crate) team: Vec<(String, String)>,
    /// What the run has said and done.
    pub(crate) so_far: Vec<Past>,
    /// All that it has said, and the chunks of its attempt.
    pub(crate) said: Parts,
    pub(crate) table: ChunkTable,
    /// JSON Schema that the message wants its answer to have.
    pub(crate) response_schema: Option<String>,
    /// The message that is answered cannot be opened any more.
    pub(crate) is_erased: bool,
}

/// Reads what the prompt of a run is made of.
///
/// # Errors
/// The store or the keys do not answer; or an event cannot be read.
pub(crate) async fn read(context: &Context, loaded: &Loaded, turn: &Turn, run: &Run, budget: usize) -> Result<History> {
    let mut reader = Reader::new(context, loaded);
    let mut before = loaded.sequence + 1;
    while before > 1 {
        let page = context.store.load_before(loaded.id, before, PAGE).await?;
        let Some(first) = page.first() else { break };
        before = first.sequence;
        for record in page.into_iter().rev() {
            reader.take(&record).await?;
        }
        let limit = reader.limit(turn);
        if limit.is_some_and(|limit| reader.bytes(before, limit) > budget) {
            break;
        }
    }
    reader.history(turn, run)
}
