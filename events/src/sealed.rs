//! Personal text as it is stored and sent: encrypted, with the id of the key that opens it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConversationId, KeyId};

/// A value encrypted under a content key; unreadable for ever once that key is destroyed.
///
/// `b` is base64url without padding of nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes), AES-256-GCM. The plaintext is one
/// flag byte (0 raw, 1 raw DEFLATE) and UTF-8. The associated data is [`Field`]'s text form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Sealed {
    /// Version of the form: 1.
    pub v: u8,
    /// The content key that opens it.
    pub k: KeyId,
    /// base64url(nonce ‖ ciphertext ‖ tag).
    pub b: String,
}

/// Where a sealed value stands. It is bound into the ciphertext, so a value moved elsewhere does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The conversation's tenant.
    pub tenant: &'a str,
    /// The conversation.
    pub conversation: ConversationId,
    /// The message, turn or run that the value belongs to; the conversation's own id for its title and metadata.
    pub owner: String,
    /// The field's name as in the event's data.
    pub name: &'static str,
    /// Epoch and index of a chunk.
    pub chunk: Option<(u32, u32)>,
}

impl<'a> Field<'a> {
    /// A field of a message, turn, run or of the conversation itself.
    #[must_use]
    pub fn new(tenant: &'a str, conversation: ConversationId, owner: impl fmt::Display, name: &'static str) -> Self {
        Self { tenant, conversation, owner: owner.to_string(), name, chunk: None }
    }

    /// The delta of one chunk.
    #[must_use]
    pub fn of_chunk(self, epoch: u32, index: u32) -> Self {
        Self { chunk: Some((epoch, index)), ..self }
    }
}

impl fmt::Display for Field<'_> {
    /// `tenant/conversation/message-or-run/field`, a chunk adds `/epoch/index`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.tenant, self.conversation, self.owner, self.name)?;
        match self.chunk {
            Some((epoch, index)) => write!(f, "/{epoch}/{index}"),
            None => Ok(()),
        }
    }
}
