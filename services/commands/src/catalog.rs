//! Which agents and models there are, as the settings say; the same in every process.

use std::collections::BTreeMap;

/// The name of the agent that is always there.
pub const ASSISTANT: &str = "assistant";

/// An agent, as clients see it and as its runs use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentProfile {
    /// Its name: what clients choose it by.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// The model it uses unless a run asks for another: `offline` or `<provider>/<model>`.
    pub model: String,
    /// What it is told before the conversation.
    pub instructions: String,
}

/// All agents, and the models that clients may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// The agent that answers where a conversation was started without naming one.
    pub default_agent: String,
    /// Agents by name.
    pub agents: BTreeMap<String, AgentProfile>,
    /// Models that `startAgent` may name, besides the agent's own.
    pub allowed_models: Vec<String>,
}

impl Catalog {
    /// The catalog of a node without settings: `assistant`, on this model.
    #[must_use]
    pub fn built_in(model: &str) -> Self {
        let assistant = AgentProfile {
            name: ASSISTANT.into(),
            description: "Answers messages".into(),
            model: model.into(),
            instructions: "You are a helpful assistant.".into(),
        };
        Self {
            default_agent: ASSISTANT.into(),
            agents: BTreeMap::from([(ASSISTANT.into(), assistant)]),
            allowed_models: vec![model.into()],
        }
    }

    /// The agent of this name.
    #[must_use]
    pub fn agent(&self, name: &str) -> Option<&AgentProfile> {
        self.agents.get(name)
    }

    /// Whether a client may ask this agent to use this model.
    #[must_use]
    pub fn allows(&self, agent: &str, model: &str) -> bool {
        self.allowed_models.iter().any(|allowed| allowed == model)
            || self.agent(agent).is_some_and(|profile| profile.model == model)
    }
}
