//! A participant says who answers from now on, and what becomes of messages that come while somebody does.

use events::PersonId;
use events::event::{AgentsConfigured, Approval, OverlapPolicy};

use super::{Decision, only_open, only_participants, unknown_agent};
use crate::conversation::Conversation;

/// Say who answers.
#[derive(Clone, Debug)]
pub struct ConfigureAgents {
    /// Who says so.
    pub by: PersonId,
    /// Names of the agents; empty: nobody.
    pub agents: Vec<String>,
    /// The first name that the catalog does not have.
    pub unknown: Option<String>,
    /// What becomes of a message that comes while a turn runs; left out: as before.
    pub overlap: Option<OverlapPolicy>,
    /// The least that every tool needs; left out: as before.
    pub approval: Option<Approval>,
}

impl ConfigureAgents {
    pub(crate) fn decide(&self, state: &Conversation) -> Decision {
        only_participants(state, self.by)?;
        only_open(state)?;
        if let Some(name) = &self.unknown {
            return Err(unknown_agent(name));
        }
        let (overlap, approval) = (self.overlap.unwrap_or(state.overlap), self.approval.unwrap_or(state.approval));
        Ok(vec![AgentsConfigured { agents: self.agents.clone(), overlap, approval }.into()])
    }
}
