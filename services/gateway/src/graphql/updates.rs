//! What a subscription delivers.

use async_graphql::{ID, Interface, SimpleObject};

use super::enums::{ChunkKind, FinishReason, Usage};
use super::id;
use super::scalars::{Cursor, Time, int};
use crate::live::{Change, Update};

/// Declares the types: each with the three fields of the interface, and its own.
macro_rules! updates {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $field_doc:literal])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[doc = $doc])+
            #[derive(SimpleObject, Debug)]
            pub(crate) struct $name {
                /// The conversation.
                conversation_id: ID,
                /// Just after this update.
                cursor: Cursor,
                /// When it happened.
                at: Time,
                $($(#[doc = $field_doc])* $field: $type,)*
            }
        )*

        /// Something that happened in a conversation.
        #[derive(Interface, Debug)]
        #[graphql(
            field(name = "conversation_id", ty = "&ID", desc = "The conversation."),
            field(name = "cursor", ty = "&Cursor", desc = "Just after this update."),
            field(name = "at", ty = "&Time", desc = "When it happened."),
        )]
        pub(crate) enum ConversationUpdate {
            $($name($name),)*
        }
    };
}

updates! {
    /// The conversation began.
    ConversationStarted {
        /// Its title, where it has one.
        title: Option<String>,
    }
    /// The conversation has another title.
    ConversationRenamed {
        /// The title; empty where it was erased.
        title: String,
    }
    /// The conversation takes no more messages.
    ConversationArchived {}
    /// A person takes part from now on.
    ParticipantAdded {
        /// Who.
        person: String,
        /// Who added them.
        by: String,
    }
    /// A person takes part no more.
    ParticipantRemoved {
        /// Who.
        person: String,
        /// Who removed them.
        by: String,
    }
    /// A person said something.
    MessageSent {
        /// The message.
        message_id: ID,
        /// Who said it.
        author: String,
        /// What; empty where it was erased.
        text: String,
    }
    /// The agents begin to answer.
    TurnStarted {
        /// The turn.
        turn_id: ID,
    }
    /// The agents have answered.
    TurnCompleted {
        /// The turn.
        turn_id: ID,
    }
    /// The answer failed.
    TurnFailed {
        /// The turn.
        turn_id: ID,
        /// Why, for a person to read.
        reason: String,
    }
    /// An agent begins a message. A second one for the same message, with a higher epoch, means: forget that message's chunks,
    /// they start again at 0.
    AgentStarted {
        /// The run.
        run_id: ID,
        /// The agent's name.
        agent: String,
        /// The model that it asks.
        model: String,
        /// The attempt.
        epoch: i32,
        /// The message that it writes.
        message_id: ID,
    }
    /// A piece of a message that is being written. An erased message has none; cursors among them stay valid.
    ChunkProduced {
        /// The message.
        message_id: ID,
        /// The run.
        run_id: ID,
        /// The attempt.
        epoch: i32,
        /// From 0, without a gap within one message and epoch.
        index: i32,
        /// What the text is.
        kind: ChunkKind,
        /// The text, never empty.
        delta: String,
    }
    /// A message is whole.
    MessageCompleted {
        /// The message.
        message_id: ID,
        /// Exactly the deltas of kind TEXT of the winning epoch, joined; empty where it was erased.
        text: String,
        /// Why it ended.
        finish_reason: FinishReason,
        /// Tokens, where the provider counted them.
        usage: Option<Usage>,
    }
    /// A message broke off for good.
    MessageFailed {
        /// The message.
        message_id: ID,
        /// What there was of it.
        text: String,
        /// Why, for a person to read.
        reason: String,
    }
}

impl From<Update> for ConversationUpdate {
    fn from(update: Update) -> Self {
        let (conversation_id, cursor, at) = (id(update.conversation), Cursor(update.cursor), Time(update.at));
        /// The variant, with the common fields and its own.
        macro_rules! update {
            ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
                Self::$name($name { conversation_id, cursor, at, $($field: $value),* })
            };
        }
        match update.change {
            Change::ConversationStarted { title } => {
                update!(ConversationStarted { title: title.map(|title| title.to_string()) })
            }
            Change::ConversationRenamed { title } => update!(ConversationRenamed { title: title.to_string() }),
            Change::ConversationArchived => update!(ConversationArchived {}),
            Change::ParticipantAdded { person, by } => update!(ParticipantAdded { person: person, by: by }),
            Change::ParticipantRemoved { person, by } => update!(ParticipantRemoved { person: person, by: by }),
            Change::MessageSent { message, author, text } => {
                update!(MessageSent { message_id: id(message), author: author, text: text.to_string() })
            }
            Change::TurnStarted { turn } => update!(TurnStarted { turn_id: id(turn) }),
            Change::TurnCompleted { turn } => update!(TurnCompleted { turn_id: id(turn) }),
            Change::TurnFailed { turn, reason } => {
                update!(TurnFailed { turn_id: id(turn), reason: reason.to_string() })
            }
            Change::AgentStarted { run, agent, model, epoch, message } => update!(AgentStarted {
                run_id: id(run),
                agent: agent,
                model: model,
                epoch: int(epoch),
                message_id: id(message),
            }),
            Change::ChunkProduced { message, run, epoch, index, kind, delta } => update!(ChunkProduced {
                message_id: id(message),
                run_id: id(run),
                epoch: int(epoch),
                index: int(index),
                kind: kind.into(),
                delta: delta.to_string(),
            }),
            Change::MessageCompleted { message, text, finish_reason, usage } => update!(MessageCompleted {
                message_id: id(message),
                text: text.to_string(),
                finish_reason: finish_reason.into(),
                usage: usage.map(Into::into),
            }),
            Change::MessageFailed { message, text, reason } => {
                update!(MessageFailed { message_id: id(message), text: text.to_string(), reason: reason.to_string() })
            }
        }
    }
}
