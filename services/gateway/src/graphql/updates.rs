//! What a subscription delivers.

use async_graphql::{ID, Interface, Json, SimpleObject};
use events::{CallId, MessageId};
use serde_json::Value;

use super::enums::{ChunkKind, FinishReason};
use super::scalars::{Cursor, Time, int};
use super::spent::Usage;
use super::texts::json;
use super::{id, plan};
use crate::live::{Change, MessageChange, ToolCallChange, Update};

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
    /// A person stopped a message; what there was stays.
    MessageStopped {
        /// The message.
        message_id: ID,
        /// What there was of it.
        text: String,
        /// Tokens, also of calls that were cut off.
        usage: Option<Usage>,
    }
    /// Which agents run, and after which others. A later one adds steps to the same turn.
    TurnPlanned {
        /// The turn.
        turn_id: ID,
        /// `{"kind": "fixed" | "rules" | "model" | "asked", "steps": [{"run", "agent", "after": [run, …]}], "more"}`: who made this
        /// plan, its steps, whether another plan follows.
        plan: Json<Value>,
        /// Why, for a person to read.
        reason: String,
    }
    /// A person stopped a turn, or took it out of the queue.
    TurnStopped {
        /// The turn.
        turn_id: ID,
        /// Who.
        by: String,
    }
    /// A model wants something done by a tool.
    ToolCallRequested {
        /// The tool call.
        tool_call_id: ID,
        /// The run that asks.
        run_id: ID,
        /// The tool's name.
        tool: String,
        /// What the tool shall get; text where that is no JSON, an empty object where it was erased.
        arguments: Json<Value>,
        /// A person has to decide first.
        needs_approval: bool,
    }
    /// A tool call is being carried out.
    ToolCallStarted {
        /// The tool call.
        tool_call_id: ID,
        /// The attempt.
        epoch: i32,
    }
    /// A tool call with a side effect began, and nobody knows whether it took place.
    ToolCallUncertain {
        /// The tool call.
        tool_call_id: ID,
    }
    /// A person allowed a tool call.
    ToolCallApproved {
        /// The tool call.
        tool_call_id: ID,
        /// Who.
        by: String,
        /// What the person wants the tool to get instead.
        edited_arguments: Option<Json<Value>>,
    }
    /// A tool call does not take place.
    ToolCallRejected {
        /// The tool call.
        tool_call_id: ID,
        /// Who said no; `system` where nobody did in time, or the tool is denied here.
        by: String,
        /// Why, in the person's words.
        reason: Option<String>,
    }
    /// A tool call gave a result.
    ToolCallCompleted {
        /// The tool call.
        tool_call_id: ID,
        /// What; an empty object where it was erased.
        result: Json<Value>,
    }
    /// A tool call did not work.
    ToolCallFailed {
        /// The tool call.
        tool_call_id: ID,
        /// Why, for a person to read.
        error: String,
    }
}

/// What every update has.
struct Place {
    conversation_id: ID,
    cursor: Cursor,
    at: Time,
}

/// The variant at a place, with its own fields.
macro_rules! update {
    ($place:ident, $name:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        let Place { conversation_id, cursor, at } = $place;
        ConversationUpdate::$name($name { conversation_id, cursor, at, $($field: $value),* })
    }};
}

impl From<Update> for ConversationUpdate {
    fn from(update: Update) -> Self {
        let (conversation_id, cursor) = (id(update.conversation), Cursor(update.cursor));
        let place = Place { conversation_id, cursor, at: Time(update.at) };
        match update.change {
            Change::ConversationStarted { title } => {
                update!(place, ConversationStarted { title: title.map(|title| title.to_string()) })
            }
            Change::ConversationRenamed { title } => update!(place, ConversationRenamed { title: title.to_string() }),
            Change::ConversationArchived => update!(place, ConversationArchived {}),
            Change::ParticipantAdded { person, by } => update!(place, ParticipantAdded { person: person, by: by }),
            Change::ParticipantRemoved { person, by } => update!(place, ParticipantRemoved { person: person, by: by }),
            Change::TurnStarted { turn } => update!(place, TurnStarted { turn_id: id(turn) }),
            Change::TurnPlanned { turn, kind, runs, more, reason } => update!(
                place,
                TurnPlanned {
                    turn_id: id(turn),
                    plan: Json(plan::of_event(kind, &runs, more)),
                    reason: reason.to_string(),
                }
            ),
            Change::TurnCompleted { turn } => update!(place, TurnCompleted { turn_id: id(turn) }),
            Change::TurnFailed { turn, reason } => {
                update!(place, TurnFailed { turn_id: id(turn), reason: reason.to_string() })
            }
            Change::TurnStopped { turn, by } => update!(place, TurnStopped { turn_id: id(turn), by: by }),
            Change::AgentStarted { run, agent, model, epoch, message } => update!(
                place,
                AgentStarted {
                    run_id: id(run),
                    agent: agent,
                    model: model,
                    epoch: int(epoch),
                    message_id: id(message),
                }
            ),
            Change::Message(message, change) => place.of_message(message, change),
            Change::ToolCall(call, change) => place.of_tool_call(call, change),
        }
    }
}

impl Place {
    fn of_message(self, message: MessageId, change: MessageChange) -> ConversationUpdate {
        let message_id = id(message);
        match change {
            MessageChange::Sent { author, text } => {
                update!(self, MessageSent { message_id: message_id, author: author, text: text.to_string() })
            }
            MessageChange::Produced { run, epoch, index, kind, delta } => update!(
                self,
                ChunkProduced {
                    message_id: message_id,
                    run_id: id(run),
                    epoch: int(epoch),
                    index: int(index),
                    kind: kind.into(),
                    delta: delta.to_string(),
                }
            ),
            MessageChange::Completed { text, finish_reason, usage } => update!(
                self,
                MessageCompleted {
                    message_id: message_id,
                    text: text.to_string(),
                    finish_reason: finish_reason.into(),
                    usage: usage.map(Into::into),
                }
            ),
            MessageChange::Failed { text, reason } => update!(
                self,
                MessageFailed { message_id: message_id, text: text.to_string(), reason: reason.to_string() }
            ),
            MessageChange::Stopped { text, usage } => update!(
                self,
                MessageStopped { message_id: message_id, text: text.to_string(), usage: usage.map(Into::into) }
            ),
        }
    }

    fn of_tool_call(self, call: CallId, change: ToolCallChange) -> ConversationUpdate {
        let tool_call_id = id(call);
        match change {
            ToolCallChange::Requested { run, tool, arguments, needs_approval } => update!(
                self,
                ToolCallRequested {
                    tool_call_id: tool_call_id,
                    run_id: id(run),
                    tool: tool,
                    arguments: Json(json(Some(&arguments))),
                    needs_approval: needs_approval,
                }
            ),
            ToolCallChange::Approved { by, edited } => update!(
                self,
                ToolCallApproved {
                    tool_call_id: tool_call_id,
                    by: by,
                    edited_arguments: edited.map(|edited| Json(json(Some(&edited)))),
                }
            ),
            ToolCallChange::Rejected { by, reason } => update!(
                self,
                ToolCallRejected {
                    tool_call_id: tool_call_id,
                    by: by,
                    reason: reason.map(|reason| reason.to_string()),
                }
            ),
            ToolCallChange::Started { epoch } => {
                update!(self, ToolCallStarted { tool_call_id: tool_call_id, epoch: int(epoch) })
            }
            ToolCallChange::Completed { result } => {
                update!(self, ToolCallCompleted { tool_call_id: tool_call_id, result: Json(json(Some(&result))) })
            }
            ToolCallChange::Failed { error } => {
                update!(self, ToolCallFailed { tool_call_id: tool_call_id, error: error.to_string() })
            }
            ToolCallChange::Uncertain => update!(self, ToolCallUncertain { tool_call_id: tool_call_id }),
        }
    }
}
