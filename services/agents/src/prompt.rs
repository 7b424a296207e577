//! What a model is asked: a pure function of the conversation's messages, so that it can be made again, byte for byte.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use events::Sequence;

/// Version of [`render`]; it stands in every `AgentStarted`. A change of what comes out is a new version.
pub(crate) const RENDERER: u32 = 2;

/// What a model is asked, whoever serves it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) lines: Vec<Line>,
    /// Tools that it may ask for.
    pub(crate) tools: Vec<ToolOffer>,
    pub(crate) temperature: Option<Number>,
    /// JSON Schema that the answer's text has to fit.
    pub(crate) response_schema: Option<Value>,
    /// The longest answer; the provider's own limit where it is absent.
    pub(crate) max_output_tokens: Option<u32>,
}

/// One message as a model sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    System(String),
    User(String),
    /// What the model said itself, and the tools that it asked for then.
    Assistant {
        text: String,
        calls: Vec<ToolUse>,
    },
    /// What came of the call of that id.
    Result {
        call: String,
        text: String,
        is_error: bool,
    },
}

/// A tool that a model asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolUse {
    /// Unique within a prompt.
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON as the model said it: nobody has looked whether it is any.
    pub(crate) arguments: String,
}

/// A tool that a model may ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToolOffer {
    pub(crate) name: String,
    pub(crate) description: String,
    /// JSON Schema of its arguments.
    pub(crate) parameters: Value,
}

impl Line {
    /// Bytes of all that it says, and of the tools that it asks for.
    pub(crate) fn bytes(&self) -> usize {
        let calls = match self {
            Self::Assistant { calls, .. } => calls.iter().map(|call| call.name.len() + call.arguments.len()).sum(),
            _ => 0,
        };
        self.text().len() + calls
    }

    /// Its text, whoever said it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::System(text) | Self::User(text) | Self::Assistant { text, .. } | Self::Result { text, .. } => text,
        }
    }
}

/// What belongs together in the past: a person's message, or all of an answer with the tools that it used. It stays or goes as a
/// whole; what was erased is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Past {
    /// Where it belongs: a person's own sequence; for an answer that of the message it answers, or of the `TurnPlanned`
    /// where it answers none.
    pub(crate) anchor: Sequence,
    /// Its own sequence, which orders what has one anchor.
    pub(crate) sequence: Sequence,
    pub(crate) lines: Vec<Line>,
}

/// All that a prompt is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Material {
    /// What the agent is told; empty texts count as none.
    pub(crate) system: Vec<String>,
    /// What was said before and in this turn.
    pub(crate) past: Vec<Past>,
    /// Where the turn stands: nothing that belongs after it is shown.
    pub(crate) limit: Sequence,
    /// Messages after the limit that steer the turn.
    pub(crate) steering: Vec<Past>,
    /// What earlier steps of the turn produced: agent and text.
    pub(crate) team: Vec<(String, String)>,
    /// What the run itself has said and done so far.
    pub(crate) so_far: Vec<Past>,
    /// Bytes of the past that are shown.
    pub(crate) budget: usize,
}

impl Past {
    pub(crate) fn bytes(&self) -> usize {
        self.lines.iter().map(Line::bytes).sum()
    }
}

/// Puts the lines of a prompt together: the system's text, what was said up to the limit (each answer after the message it
/// answered), what the team found, and what the run has done so far with the messages that steered it, in the order in which
/// they came.
///
/// Of the past only the newest stay that fit into the budget; the last one always stays. What is left out is said.
pub(crate) fn render(material: Material) -> Vec<Line> {
    let Material { system, mut past, limit, steering, team, so_far, budget } = material;
    past.retain(|one| one.anchor <= limit && one.bytes() > 0);
    past.sort_by_key(|one| (one.anchor, one.sequence));
    let mut left = budget;
    let kept = past.iter().rev().enumerate().take_while(|(index, one)| {
        let fits = one.bytes() <= left;
        left = left.saturating_sub(one.bytes());
        fits || *index == 0
    });
    let forgotten = past.len() - kept.count();
    let mut system: Vec<String> = system.into_iter().filter(|text| !text.trim().is_empty()).collect();
    if forgotten > 0 {
        system.push(format!("({forgotten} earlier messages of this conversation are left out.)"));
    }
    let mut now = steering;
    now.extend(so_far);
    now.sort_by_key(|one| one.sequence);
    let system = (!system.is_empty()).then(|| Line::System(system.join("\n\n")));
    let past = past.into_iter().skip(forgotten).flat_map(|one| one.lines);
    system.into_iter().chain(past).chain(notes(team)).chain(now.into_iter().flat_map(|one| one.lines)).collect()
}

/// What the team found, as one message that is plainly none of the person's.
fn notes(team: Vec<(String, String)>) -> Option<Line> {
    if team.is_empty() {
        return None;
    }
    let parts = team.iter().map(|(agent, text)| format!("## {agent}\n\n{text}")).collect::<Vec<_>>();
    Some(Line::User(format!("What other agents of your team have brought so far:\n\n{}", parts.join("\n\n"))))
}

#[cfg(test)]
mod tests;
