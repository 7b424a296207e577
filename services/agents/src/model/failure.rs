//! Why a model gave no answer, in words for a person.

use std::fmt;
use std::time::Duration;

/// Longest part of a server's own words that is passed on.
const QUOTE: usize = 300;

/// Why an answer broke off. Its text goes, sealed, to the person; logs and metrics get the class alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: &'static str,
    pub(crate) reason: String,
    /// Whether the same request may do better later.
    pub(crate) retry: Option<Retry>,
    /// The request may have left.
    pub(crate) reached: bool,
    /// The server may have worked on it, so it may cost something.
    pub(crate) paid: bool,
    pub(crate) blame: Blame,
}

/// Another attempt makes sense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retry {
    /// How long the server asked us to wait.
    pub(crate) after: Option<Duration>,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The server is ill: another one may serve, and many of these in a row open its breaker.
    Server,
    /// The server is well but does not serve us now: another one may.
    Terms,
    /// The request, or something on our side: no server would do better.
    Request,
}

impl Failure {
    /// One that no server has to do with.
    pub(crate) fn new(class: &'static str, reason: impl fmt::Display) -> Self {
        Self { class, reason: reason.to_string(), retry: None, reached: false, paid: false, blame: Blame::Request }
    }

    /// One of a request that left.
    pub(super) fn of(blame: Blame, class: &'static str, reason: impl fmt::Display) -> Self {
        Self { blame, reached: true, paid: true, ..Self::new(class, reason) }
    }

    /// With what the server said about it: one line, short, without our key and without anybody's credentials.
    pub(super) fn quoting(mut self, said: &str, key: Option<&str>) -> Self {
        let said = clean(said, key);
        if !said.is_empty() {
            self.reason = format!("{}: {said}", self.reason);
        }
        self
    }

    /// The server did not take the request, so nobody pays for it.
    pub(super) fn unpaid(self) -> Self {
        Self { paid: false, ..self }
    }

    /// Another attempt makes sense.
    pub(super) fn again(self, after: Option<Duration>) -> Self {
        Self { retry: Some(Retry { after }), ..self }
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
        let no = || Failure::new("refused", "no");
        assert_eq!(no().quoting(said, Some("sk-1234")).reason, "no: Bad key … at https://host/v1 for you");
        let long = no().quoting(&"ä".repeat(1000), None);
        assert_eq!(long.reason.chars().count(), "no: ".len() + QUOTE + 1);
        assert_eq!(no().quoting(" \n", None).reason, "no");
    }
}
