//! Text that no log, error or listing may show.

use std::fmt;

use zeroize::Zeroizing;

/// A secret; printing it shows that there is one and no more.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text as it stands.
    #[must_use]
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for whoever signs, seals or signs in with it.
    #[must_use]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// An address without the password that it may carry.
#[must_use]
pub(crate) fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    // A password may hold any sign, written as it stands: all before the last @ is taken for it.
    let hidden = match rest.rsplit_once('@') {
        Some((user, host)) => format!("{}:<redacted>@{host}", user.split(':').next().unwrap_or_default()),
        None => rest.to_owned(),
    };
    // Drivers also take a password as a parameter.
    let (path, query) = hidden.split_once('?').unwrap_or((&hidden, ""));
    let query: Vec<String> = query.split('&').filter(|part| !part.is_empty()).map(parameter).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{path}{mark}{}", query.join("&"))
}

fn parameter(part: &str) -> String {
    match part.split_once('=') {
        Some((name, _)) if name.contains("password") => format!("{name}=<redacted>"),
        _ => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(without_password("postgres://me:pw@host:5432/db"), "postgres://me:<redacted>@host:5432/db");
        assert_eq!(
            without_password("postgres://host/db?password=pw&x=1"),
            "postgres://host/db?password=<redacted>&x=1"
        );
        assert_eq!(without_password("postgres://me:p@w@host/db"), "postgres://me:<redacted>@host/db");
        assert_eq!(without_password("postgres://me:p/w?@host/db"), "postgres://me:<redacted>@host/db");
        assert_eq!(without_password("sqlite://.loquent/loquent.db"), "sqlite://.loquent/loquent.db");
        assert_eq!(without_password("embedded:"), "embedded:");
    }
}
