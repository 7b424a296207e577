//! What a process does.

use std::fmt;
use std::str::FromStr;

use super::known::nearest;

/// One part of the work; a process has one or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Asks and answers: the doors.
    Gateway,
    /// Reacts: turns, models.
    Agents,
    /// Turns the log into tables.
    Projections,
    /// Carries the store's events to the log.
    Relay,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Gateway, Self::Agents, Self::Projections, Self::Relay];

    /// Its name in settings, logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Agents => "agents",
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

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|role| role.name() == text);
        known.ok_or_else(|| {
            let nearest = nearest(text, Self::ALL.map(Self::name));
            format!("unknown role \"{text}\"; the nearest is {nearest}")
        })
    }
}

/// Reads `gateway,relay`.
///
/// # Errors
/// A role is unknown, or there is none.
pub(crate) fn parse(text: &str) -> Result<Vec<Role>, String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut roles = names.map(Role::from_str).collect::<Result<Vec<_>, _>>()?;
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { Err("name at least one role".into()) } else { Ok(roles) }
}
