//! What a model is asked: a pure function of the conversation's messages, so that it can be made again, byte for byte.

use serde::Serialize;

use events::Sequence;

/// Version of [`render`]; it stands in every `AgentStarted`. A change of what comes out is a new version.
pub(crate) const RENDERER: u32 = 1;

/// Who speaks in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    System,
    User,
    Assistant,
}

/// One message as a model sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) role: Role,
    pub(crate) content: String,
}

/// What a model is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt(pub(crate) Vec<Line>);

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
    let system = (!system.is_empty()).then_some(Line { role: Role::System, content: system });
    let said = past.into_iter().skip(forgotten).map(|message| Line { role: message.role, content: message.text });
    Prompt(system.into_iter().chain(said).collect())
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
        prompt.0.iter().map(|said| said.content.as_str()).collect()
    }

    #[test]
    fn an_answer_follows_its_message_also_when_more_was_sent_meanwhile() {
        let past = vec![person(2, "one"), person(5, "two"), answer(2, 6, "first"), person(9, "three")];
        let prompt = render(&["Be brief."], past, 5, 1000);
        assert_eq!(said(&prompt), ["Be brief.", "one", "first", "two"]);
        assert_eq!(prompt.0[0].role, Role::System);
        assert_eq!(prompt.0[2].role, Role::Assistant);
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
