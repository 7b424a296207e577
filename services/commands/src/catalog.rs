//! Which agents and models there are, as the settings say; the same in every process.

use std::collections::BTreeMap;

use events::event::{Approval, PlanKind};
use serde_json::{Number, Value};

use crate::rules::Approvers;

/// The name of the agent that is always there.
pub const ASSISTANT: &str = "assistant";
const ORCHESTRATOR: &str = "orchestrator";
/// Whom the built-in orchestrator lets work.
const TEAM: [&str; 4] = ["researcher", "code", "image", "writer"];
/// Agents that are always there: name, description, instructions.
const BUILT_IN: [(&str, &str, &str); 6] = [
    (ASSISTANT, "Answers messages", "You are a helpful assistant."),
    (
        ORCHESTRATOR,
        "Lets a team work on a request",
        "You lead a team of agents. Say in a few sentences what the request needs and what each part of the answer has to bring.",
    ),
    (
        "researcher",
        "Finds and checks facts",
        "You find facts and check them. Name where each of them comes from, and say so where you could not find something.",
    ),
    (
        "writer",
        "Writes the answer from what others found",
        "You write the final answer to the person from what your team has found. Be clear and complete, and invent nothing.",
    ),
    ("code", "Writes and explains code", "You write correct, plain code and explain it briefly."),
    (
        "image",
        "Describes and makes images",
        "You design images: describe exactly what is to be seen, and make it where you have a tool for it.",
    ),
];

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
    /// Names of the tools that it may use.
    pub tools: Vec<String>,
    /// How freely the model chooses its words.
    pub temperature: Option<Number>,
    /// JSON Schema of its answers.
    pub response_schema: Option<Value>,
    /// The least that each of its tools needs.
    pub approval: Approval,
    /// Agents that it lets work on a message, in this order; empty: it answers itself.
    pub team: Vec<String>,
    /// How it chooses among them.
    pub plan: PlanKind,
}

impl AgentProfile {
    /// An agent that answers itself, without tools.
    #[must_use]
    pub fn new(name: &str, description: &str, model: &str, instructions: &str) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            model: model.into(),
            instructions: instructions.into(),
            tools: Vec::new(),
            temperature: None,
            response_schema: None,
            approval: Approval::Auto,
            team: Vec::new(),
            plan: PlanKind::Fixed,
        }
    }
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
    /// Who may decide about tool calls.
    pub approvers: Approvers,
}

impl Catalog {
    /// The catalog of a node without settings: `assistant`, on this model.
    #[must_use]
    pub fn built_in(model: &str) -> Self {
        let profiles = BUILT_IN.map(|(name, description, instructions)| {
            let profile = AgentProfile::new(name, description, model, instructions);
            match name {
                ORCHESTRATOR => {
                    AgentProfile { team: TEAM.map(String::from).to_vec(), plan: PlanKind::Rules, ..profile }
                }
                _ => profile,
            }
        });
        Self {
            default_agent: ASSISTANT.into(),
            agents: profiles.into_iter().map(|profile| (profile.name.clone(), profile)).collect(),
            allowed_models: vec![model.into()],
            approvers: Approvers::default(),
        }
    }

    /// Those of these names that there are, each once, and the first that there is not.
    #[must_use]
    pub fn known(&self, names: Vec<String>) -> (Vec<String>, Option<String>) {
        let unknown = names.iter().find(|name| self.agent(name).is_none()).cloned();
        let mut agents: Vec<String> = Vec::new();
        // Known names only: the list is as long as the client likes, the catalog is not.
        for name in names.into_iter().filter(|name| self.agent(name).is_some()) {
            if !agents.contains(&name) {
                agents.push(name);
            }
        }
        (agents, unknown)
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
