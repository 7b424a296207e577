//! What a model is asked: a pure function of the conversation's messages, so that it can be made again, byte for byte.

use serde_json::{Number, Value};

use events::Sequence;

/// Version of [`render`]; it stands in every `AgentStarted`. A change of what comes out is a new version.
pub(crate) const RENDERER: u32 = 1;

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
    #[cfg_attr(not(test), expect(dead_code, reason = "runs offer no tools yet"))]
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
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolOffer {
    pub(crate) name: String,
    pub(crate) description: String,
    /// JSON Schema of its arguments.
    pub(crate) parameters: Value,
}

/// Who said a message of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
}

impl Line {
    /// Its text, whoever said it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::System(text) | Self::User(text) | Self::Assistant { text, .. } | Self::Result { text, .. } => text,
        }
    }
}

/// A message of the conversation that is whole and could be opened; an erased one is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Past {
    /// Where it belongs: a person's own sequence; for an answer that of the message it answers, or of the `TurnPlanned`
    /// where it answers none.
    pub(crate) anchor: Sequence,
    /// Its own sequence, which orders what has one anchor.
    pub(crate) sequence: Sequence,
    pub(crate) role: Role,
    pub(crate) text: String,
}

/// Puts a prompt together: the system's text, then what was said up to `limit`, each answer after the message it answered.
///
/// Nothing that a person sent after `limit` is in it, nor what answers that. Of the past only the newest messages stay that
/// fit into `budget` bytes; the last one always stays.
pub(crate) fn render(system: &[&str], mut past: Vec<Past>, limit: Sequence, budget: usize) -> Prompt {
    past.retain(|message| message.anchor <= limit && !message.text.is_empty());
    past.sort_by_key(|message| (message.anchor, message.sequence));
    let mut left = budget;
    let kept = past.iter().rev().enumerate().take_while(|(index, message)| {
        let fits = message.text.len() <= left;
        left = left.saturating_sub(message.text.len());
        fits || *index == 0
    });
    let forgotten = past.len() - kept.count();
    let system = system.iter().filter(|text| !text.trim().is_empty()).copied().collect::<Vec<_>>().join("\n\n");
    let system = (!system.is_empty()).then_some(Line::System(system));
    let said = past.into_iter().skip(forgotten).map(|message| match message.role {
        Role::User => Line::User(message.text),
        Role::Assistant => Line::Assistant { text: message.text, calls: Vec::new() },
    });
    Prompt { lines: system.into_iter().chain(said).collect(), ..Prompt::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(sequence: Sequence, text: &str) -> Past {
        Past { anchor: sequence, sequence, role: Role::User, text: text.into() }
    }

    fn answer(anchor: Sequence, sequence: Sequence, text: &str) -> Past {
        Past { anchor, sequence, role: Role::Assistant, text: text.into() }
    }

    fn said(prompt: &Prompt) -> Vec<&str> {
        prompt.lines.iter().map(Line::text).collect()
    }

    #[test]
    fn an_answer_follows_its_message_also_when_more_was_sent_meanwhile() {
        let past = vec![person(2, "one"), person(5, "two"), answer(2, 6, "first"), person(9, "three")];
        let prompt = render(&["Be brief."], past, 5, 1000);
        assert_eq!(said(&prompt), ["Be brief.", "one", "first", "two"]);
        assert!(matches!(prompt.lines[0], Line::System(_)));
        assert!(matches!(prompt.lines[2], Line::Assistant { .. }));
    }

    #[test]
    fn nothing_sent_later_is_in_it_nor_what_answers_it() {
        let past = vec![person(2, "one"), person(3, "two"), answer(3, 9, "second"), answer(4, 8, "started")];
        assert_eq!(said(&render(&[], past, 2, 1000)), ["one"]);
    }

    #[test]
    fn an_agent_that_somebody_started_sees_all_up_to_there() {
        let past = vec![person(2, "one"), answer(2, 6, "first"), person(7, "two"), person(12, "three")];
        assert_eq!(said(&render(&[], past, 9, 1000)), ["one", "first", "two"]);
    }

    #[test]
    fn the_oldest_are_forgotten_first_and_the_last_never() {
        let past = vec![person(2, "aaaa"), answer(2, 3, "bbbb"), person(4, "cccc")];
        assert_eq!(said(&render(&[], past.clone(), 4, 8)), ["bbbb", "cccc"]);
        assert_eq!(said(&render(&[], past.clone(), 4, 7)), ["cccc"]);
        assert_eq!(said(&render(&[], past, 4, 1)), ["cccc"]);
    }

    #[test]
    fn empty_texts_and_instructions_are_left_out() {
        let past = vec![person(2, "one"), answer(2, 5, "")];
        assert_eq!(said(&render(&["", " ", "a", "b"], past, 2, 1000)), ["a\n\nb", "one"]);
    }
}
