//! The piece of an answer that travels on the log only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MessageId, RunId, Sealed, Sequence};

/// What a chunk's text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChunkKind {
    /// The answer itself.
    Text,
    /// The model's reasoning.
    Reasoning,
    /// Arguments of a tool call, as they stream in.
    ToolCall,
}

/// A piece of an answer in the making: on the chunk topic for a day, never a row of the store.
///
/// It is accepted while its epoch is the run's highest; readers drop the chunks of older epochs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChunkProduced {
    /// The message it belongs to.
    pub message: MessageId,
    /// The run that produced it.
    pub run: RunId,
    /// The run's attempt, from 1.
    pub epoch: u32,
    /// Place within message and epoch, from 0 without a gap, over all kinds.
    pub index: u32,
    /// What the text is.
    pub kind: ChunkKind,
    /// The text, never empty; sealed as field `delta` of the message with epoch and index.
    pub delta: Sealed,
    /// Sequence of the last event before it, as its producer knew it.
    pub after: Sequence,
    /// Milliseconds since the `AgentStarted` of its epoch.
    pub delay_ms: u64,
}

impl ChunkProduced {
    /// The CloudEvents type, with its version.
    pub const TYPE: &'static str = "dev.loquent.chunk.produced.v1";
}
