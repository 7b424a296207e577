//! Texts on their way to a model and into records: clean, short, without secrets.

use reqwest::Url;
use serde_json::Value;

use crate::settings::Secret;

/// Characters of a server's own words that are passed on where it refused.
const QUOTE: usize = 300;
/// Shorter texts hide nothing, and taking them for secrets would tear holes into results.
const SHORTEST_SECRET: usize = 4;

/// What no model may see.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets(Vec<Secret>);

impl Secrets {
    pub(super) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self(secrets.into_iter().filter(|secret| secret.expose().len() >= SHORTEST_SECRET).collect())
    }

    /// The text without any of them.
    pub(super) fn hide(&self, mut text: String) -> String {
        for secret in self.0.iter().map(Secret::expose) {
            if text.contains(secret) {
                text = text.replace(secret, "…");
            }
            // Where a text was cut, the beginning of a secret may be its end.
            let ends = (SHORTEST_SECRET..secret.len()).rev().filter(|end| secret.is_char_boundary(*end));
            let beginning = ends.map(|end| &secret[..end]).find(|beginning| text.ends_with(beginning));
            if let Some(beginning) = beginning {
                text.truncate(text.len() - beginning.len());
            }
        }
        text
    }

    /// What a server said where it refused: one short line, none of our secrets.
    pub(super) fn quote(&self, said: &str) -> String {
        line(&self.hide(said.to_owned()), QUOTE)
    }
}

/// Without control characters but line ends and tabs: records hold no NUL, and no terminal takes orders from a result.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// As [`clean`], for every text inside.
pub(super) fn clean_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(clean_value).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (clean(&key), clean_value(value))).collect())
        }
        value => value,
    }
}

/// Whether a text inside has a NUL.
pub(super) fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

/// One line of at most so many characters.
pub(super) fn line(text: &str, limit: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// At most so many bytes, cut between two characters; and whether something was cut off.
pub(super) fn cut(mut text: String, limit: usize) -> (String, bool) {
    if text.len() <= limit {
        return (text, false);
    }
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.truncate(end);
    (text, true)
}

/// What stands at the end of a result that was cut.
pub(super) const CUT: &str = "\n[cut here: there is more than fits into a result]";

/// An address as it may be written down: no user, no fragment, and no parameter that looks like a credential.
pub(super) fn address(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_fragment(None);
    // Both refuse only addresses that can hold neither.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    if url.query().is_some() {
        let kept: Vec<_> = url.query_pairs().filter(|(name, _)| !is_credential(name)).collect();
        shown.set_query(None);
        if !kept.is_empty() {
            shown.query_pairs_mut().extend_pairs(kept);
        }
    }
    shown.into()
}

fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let signs = ["key", "token", "secret", "sig", "passw", "pwd", "auth", "credential", "session", "code", "jwt"];
    signs.iter().any(|sign| name.contains(sign)) || name.starts_with("x-amz-") || name.starts_with("x-goog-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_characters_stay_outside() {
        assert_eq!(clean("a\0b\x1b[31m\r\n\tc\u{9b}"), "ab[31m\n\tc");
        assert_eq!(clean_value(json!({ "a\0": ["\0x", 1] })), json!({ "a": ["x", 1] }));
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(cut("äää".into(), 3), ("ä".into(), true));
        assert_eq!(cut("äää".into(), 6), ("äää".into(), false));
        assert_eq!(line(" a\n\tb ", 10), "a b");
        assert_eq!(line("abcdef", 3), "abc…");
    }

    #[test]
    fn a_quote_holds_no_secret_of_ours() {
        let secrets = Secrets::new([Secret::new("sk-12345"), Secret::new("")]);
        assert_eq!(secrets.quote("bad key\n sk-12345!"), "bad key …!");
        assert_eq!(secrets.quote("cut in sk-123"), "cut in");
    }

    #[test]
    fn an_address_is_written_down_without_credentials() {
        let url = Url::parse("https://bob:pw@host/a?q=1&api_key=x&X-Amz-Signature=y#part").expect("url");
        assert_eq!(address(&url), "https://host/a?q=1");
        let url = Url::parse("https://host/a?access_token=x").expect("url");
        assert_eq!(address(&url), "https://host/a");
    }
}
