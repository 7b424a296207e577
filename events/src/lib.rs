//! The vocabulary: ids, events, the record that carries an event, sealed values, the public cursor.
//!
//! Pure data and pure functions. Nothing here reads a clock, a file, a socket or an environment variable.
//!
//! * [`ids`]: every identifier, as a TypeID
//! * [`event`]: what happens in a conversation, one module per subject
//! * [`chunk`]: the piece of an answer that travels on the log only
//! * [`chunk_table`]: where the chunks of an ended message began and when they came
//! * [`record`]: the CloudEvents envelope, its hash and the chain of hashes
//! * [`sealed`]: personal text as it is stored and sent
//! * [`cursor`]: a reader's place in one conversation
//! * [`mod@decode`]: stored or received data back to an event, the seam for later versions
//! * [`schema`]: the JSON Schemas of all of it

pub mod chunk;
pub mod chunk_table;
pub mod cursor;
pub mod decode;
pub mod event;
pub mod ids;
pub mod kind;
pub mod record;
pub mod schema;
pub mod sealed;

pub use chunk::{ChunkKind, ChunkProduced};
pub use chunk_table::{ChunkSpan, ChunkTable};
pub use cursor::{Cursor, OpenMessage};
pub use decode::{DecodeError, Decoded, decode};
pub use event::{ConversationEvent, FinishReason, Usage};
pub use ids::{CallId, ConversationId, EventId, KeyId, MessageId, PersonId, RunId, TurnId};
pub use kind::Kind;
pub use record::{Actor, ChainError, Record};
pub use sealed::{Field, Sealed};

/// A number of an event within its conversation's stream, from 1 and contiguous; 0 is "before the first".
pub type Sequence = u64;
