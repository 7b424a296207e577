//! What a process does.

use std::fmt;

use super::known::nearest;

/// The sum of `turns`, `models` and `tools`.
const AGENTS: &str = "agents";

/// One part of the work; a process has one or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Asks and answers: the doors.
    Gateway,
    /// Leads turns from step to step.
    Turns,
    /// Asks models.
    Models,
    /// Runs tools.
    Tools,
    /// Turns the log into tables.
    Projections,
    /// Carries the store's events to the log.
    Relay,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Gateway, Self::Turns, Self::Models, Self::Tools, Self::Projections, Self::Relay];
    /// What `agents` stands for.
    pub(crate) const AGENTS: [Self; 3] = [Self::Turns, Self::Models, Self::Tools];

    /// Its name in settings, logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Turns => "turns",
            Self::Models => "models",
            Self::Tools => "tools",
            Self::Projections => "projections",
            Self::Relay => "relay",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The roles that a name stands for.
fn named(text: &str) -> Result<Vec<Role>, String> {
    if text == AGENTS {
        return Ok(Role::AGENTS.to_vec());
    }
    let known = Role::ALL.into_iter().find(|role| role.name() == text);
    known.map(|role| vec![role]).ok_or_else(|| {
        let nearest = nearest(text, Role::ALL.into_iter().map(Role::name).chain([AGENTS]));
        format!("unknown role \"{text}\"; the nearest is {nearest}")
    })
}

/// Reads `gateway,relay`.
///
/// # Errors
/// A role is unknown, or there is none.
pub(crate) fn parse(text: &str) -> Result<Vec<Role>, String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut roles = names.map(named).collect::<Result<Vec<_>, _>>()?.concat();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { Err("name at least one role".into()) } else { Ok(roles) }
}
