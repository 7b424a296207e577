//! Which members of a team a message needs, by the words in it.

/// Agents that work only on messages with one of these words or beginnings of words; other agents always do.
const WORDS: [(&str, &[&str]); 3] = [
    (
        "researcher",
        &[
            "research",
            "search",
            "find",
            "look up",
            "source",
            "fact",
            "compare",
            "latest",
            "news",
            "who",
            "when",
            "where",
            "what is",
            "why",
            "recherch",
            "such",
            "quelle",
            "vergleich",
        ],
    ),
    (
        "code",
        &[
            "code",
            "function",
            "program",
            "script",
            "bug",
            "compile",
            "api",
            "sql",
            "regex",
            "rust",
            "python",
            "javascript",
            "typescript",
            "java",
            "implement",
            "```",
            "programm",
            "funktion",
        ],
    ),
    ("image", &["image", "picture", "draw", "paint", "logo", "illustrat", "photo", "icon", "bild", "zeichn"]),
];

/// Whether an agent has something to do about this text.
pub(super) fn needs(agent: &str, text: &str) -> bool {
    let Some((_, words)) = WORDS.iter().find(|(name, _)| *name == agent) else { return true };
    let text = text.to_lowercase();
    words.iter().any(|word| stands_in(&text, word))
}

/// Whether a word of the text begins so.
fn stands_in(text: &str, word: &str) -> bool {
    let begins = |at: usize| !text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    text.match_indices(word).any(|(at, _)| begins(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_needs_whom_its_words_name() {
        let needed =
            |text| ["researcher", "code", "image"].into_iter().filter(|agent| needs(agent, text)).collect::<Vec<_>>();
        assert_eq!(needed("Write a Python function and draw a logo"), ["code", "image"]);
        assert_eq!(needed("Find the latest figures"), ["researcher"]);
        assert_eq!(needed("Hello!"), Vec::<&str>::new());
        assert_eq!(needed("A decoded apivore"), ["code"], "only beginnings of words count");
        assert_eq!(needed("Rindsuche"), Vec::<&str>::new());
    }

    #[test]
    fn agents_without_words_always_work() {
        assert!(needs("writer", "") && needs("lawyer", "Hello!"));
    }
}
