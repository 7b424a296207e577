//! Agents and the person who asks.

use async_graphql::{ID, SimpleObject};
use commands::Catalog;

use crate::auth::Principal;

/// Who asks.
#[derive(SimpleObject)]
pub(super) struct Viewer {
    /// Your id: the `sub` of your token.
    id: ID,
    /// Whose data you can reach.
    tenant: String,
    /// Your name, where your token says it.
    name: Option<String>,
}

impl From<&Principal> for Viewer {
    fn from(principal: &Principal) -> Self {
        Self { id: ID(principal.subject.clone()), tenant: principal.tenant.clone(), name: principal.name.clone() }
    }
}

/// Somebody who answers.
#[derive(SimpleObject, Clone)]
pub(super) struct Agent {
    /// What you choose it by.
    name: String,
    /// What it is good for.
    description: String,
    /// What it asks, unless a run asks for another: `offline` or `<provider>/<model>`.
    model: String,
    /// Names of the tools that it may use.
    tools: Vec<String>,
}

impl Agent {
    /// All of them, by name.
    pub(super) fn all(catalog: &Catalog) -> Vec<Self> {
        catalog.agents.keys().map(|name| Self::named(catalog, name)).collect()
    }

    /// The agent of this name; one that the settings no longer have is shown by its name alone.
    pub(super) fn named(catalog: &Catalog, name: &str) -> Self {
        let profile = catalog.agent(name);
        Self {
            name: name.to_owned(),
            description: profile.map(|profile| profile.description.clone()).unwrap_or_default(),
            model: profile.map(|profile| profile.model.clone()).unwrap_or_default(),
            tools: profile.map(|profile| profile.tools.clone()).unwrap_or_default(),
        }
    }
}
