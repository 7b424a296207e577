//! Why a model gave no answer, in words for a person.

use std::fmt;

/// Longest part of a server's own words that is passed on.
const QUOTE: usize = 300;

/// Why an answer broke off. Its text goes, sealed, to the person; logs and metrics get the class alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: &'static str,
    pub(crate) reason: String,
}

impl Failure {
    pub(crate) fn new(class: &'static str, reason: impl fmt::Display) -> Self {
        Self { class, reason: reason.to_string() }
    }

    /// With what the server said about it: one line, short, without our key and without anybody's credentials.
    pub(crate) fn quoting(class: &'static str, reason: impl fmt::Display, said: &str, key: Option<&str>) -> Self {
        let said = clean(said, key);
        match said.is_empty() {
            true => Self::new(class, reason),
            false => Self::new(class, format_args!("{reason}: {said}")),
        }
    }
}

fn clean(said: &str, key: Option<&str>) -> String {
    let said = match key {
        Some(key) if !key.is_empty() => said.replace(key, "…"),
        _ => said.to_owned(),
    };
    let words = said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.map(without_credentials).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(QUOTE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// An address keeps neither its user nor its query.
fn without_credentials(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}{slash}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_one_short_line_without_secrets() {
        let said = "Bad key sk-1234\n at https://bob:pw@host/v1?token=x for you";
        let failure = Failure::quoting("refused", "no", said, Some("sk-1234"));
        assert_eq!(failure.reason, "no: Bad key … at https://host/v1 for you");
        let long = Failure::quoting("refused", "no", &"ä".repeat(1000), None);
        assert_eq!(long.reason.chars().count(), "no: ".len() + QUOTE + 1);
        assert_eq!(Failure::quoting("refused", "no", " \n", None).reason, "no");
    }
}
