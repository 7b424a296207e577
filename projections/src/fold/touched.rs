use std::collections::BTreeSet;

use events::{CallId, ConversationEvent, Decoded, MessageId, RunId, TurnId};

use super::Entry;

/// The rows that events change and that they do not make themselves. With a run or a tool call goes its whole turn: the turn
/// itself, its runs, and the tool calls of theirs that are open.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) messages: BTreeSet<MessageId>,
    pub(crate) turns: BTreeSet<TurnId>,
    pub(crate) runs: BTreeSet<RunId>,
    pub(crate) tool_calls: BTreeSet<CallId>,
}

impl Touched {
    pub(crate) fn add(&mut self, entry: &Entry) {
        use ConversationEvent as E;
        let Entry::Event(_, Decoded::Known(event)) = entry else { return };
        match event {
            E::AgentStarted(event) => self.run_and_message(event.run, event.message),
            E::MessageStopped(event) => self.run_and_message(event.run, event.message),
            E::AgentCompleted(event) => drop(self.runs.insert(event.run)),
            E::AgentFailed(event) => drop(self.runs.insert(event.run)),
            E::ModelCallStarted(event) => drop(self.runs.insert(event.run)),
            E::ModelCallEnded(event) => drop(self.runs.insert(event.run)),
            E::ToolCallRequested(event) => drop(self.runs.insert(event.run)),
            E::MessageCompleted(event) => drop(self.messages.insert(event.message)),
            E::MessageFailed(event) => drop(self.messages.insert(event.message)),
            E::TurnStarted(event) => {
                self.turns.insert(event.turn);
                self.messages.extend(event.regenerates);
            }
            E::TurnPlanned(event) => drop(self.turns.insert(event.turn)),
            E::TurnCompleted(event) => drop(self.turns.insert(event.turn)),
            E::TurnFailed(event) => drop(self.turns.insert(event.turn)),
            E::TurnStopped(event) => drop(self.turns.insert(event.turn)),
            E::ToolCallApproved(event) => drop(self.tool_calls.insert(event.call)),
            E::ToolCallRejected(event) => drop(self.tool_calls.insert(event.call)),
            E::ToolCallStarted(event) => drop(self.tool_calls.insert(event.call)),
            E::ToolCallCompleted(event) => drop(self.tool_calls.insert(event.call)),
            E::ToolCallFailed(event) => drop(self.tool_calls.insert(event.call)),
            E::ToolCallUncertain(event) => drop(self.tool_calls.insert(event.call)),
            E::ConversationStarted(_)
            | E::ConversationRenamed(_)
            | E::ConversationArchived(_)
            | E::ParticipantAdded(_)
            | E::ParticipantRemoved(_)
            | E::AgentsConfigured(_)
            | E::MessageSent(_)
            | E::StopRequested(_) => {}
        }
    }

    fn run_and_message(&mut self, run: RunId, message: MessageId) {
        self.runs.insert(run);
        self.messages.insert(message);
    }
}
