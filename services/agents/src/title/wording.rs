//! What a model said as a title: one line, without its decoration, not too long.

use commands::rules::rename_conversation::TITLE_LIMIT;

/// Marks that stand around a title and are no part of it.
const MARKS: [(char, char); 11] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('*', '*'),
    ('_', '_'),
    ('“', '”'),
    ('„', '“'),
    ('”', '”'),
    ('‘', '’'),
    ('«', '»'),
    ('»', '«'),
];

/// The title in an answer: its first line that has one; `None`: there is none.
pub(super) fn title(said: &str) -> Option<String> {
    said.lines().find_map(in_line)
}

fn in_line(line: &str) -> Option<String> {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = bare(line.trim_start_matches('#').trim());
    let title: String = bare.chars().take(TITLE_LIMIT).collect();
    let title = title.trim_end();
    title.chars().any(char::is_alphanumeric).then(|| title.to_owned())
}

/// A text without the marks around it.
fn bare(text: &str) -> &str {
    let inside = MARKS.iter().find_map(|(open, close)| {
        // Where they stand inside too, they belong to words.
        text.strip_prefix(*open)?
            .strip_suffix(*close)
            .filter(|inside| !inside.contains([*open, *close]) || open == &'*')
    });
    inside.map_or(text, |inside| bare(inside.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_without_quotes() {
        for (said, expected) in [
            ("Tea in Japan", "Tea in Japan"),
            ("  \n\"Tea in Japan\"\n\nIt is about tea.", "Tea in Japan"),
            ("**“Tea\u{a0}in  Japan”**", "Tea in Japan"),
            ("# Tea\tin\u{7}Japan", "Tea in Japan"),
            ("„Tee in Japan“", "Tee in Japan"),
            ("« Le thé »", "Le thé"),
            ("\"Tea\" and \"coffee\"", "\"Tea\" and \"coffee\""),
            ("Rock 'n' roll", "Rock 'n' roll"),
            ("```\nTea\n```", "Tea"),
            ("日本のお茶", "日本のお茶"),
        ] {
            assert_eq!(title(said).as_deref(), Some(expected), "{said:?}");
        }
    }

    #[test]
    fn it_is_cut_to_its_limit_in_whole_characters_and_never_empty() {
        assert_eq!(title(&"é".repeat(300)), Some("é".repeat(TITLE_LIMIT)));
        assert_eq!(title(&format!("{} b", "a".repeat(TITLE_LIMIT - 1))), Some("a".repeat(TITLE_LIMIT - 1)));
        for said in ["", "  \n\t", "\"\"", "“ ”", "...", "\u{200b}"] {
            assert_eq!(title(said), None, "{said:?}");
        }
    }
}
