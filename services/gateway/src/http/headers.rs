//! Headers that carry more than their bytes.

use http::{HeaderMap, header};

use crate::{Error, Result};

/// The longest idempotency key, in bytes.
pub(crate) const KEY_LIMIT: usize = 255;

/// `Idempotency-Key` as it came; read only by a mutation whose input has no key of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdempotencyHeader(Vec<Vec<u8>>);

impl IdempotencyHeader {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all("idempotency-key").iter().map(|value| value.as_bytes().to_vec()).collect())
    }

    /// The key: a string of structured fields (`"…"`), or the bare text that many clients send.
    pub(crate) fn key(&self) -> Result<Option<String>> {
        let value = match self.0.as_slice() {
            [] => return Ok(None),
            [value] => std::str::from_utf8(value).ok(),
            _ => None,
        };
        let value = value.map(str::trim).ok_or_else(|| invalid("must be sent once, as text"))?;
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let key = quoted.map_or_else(|| value.to_owned(), |inner| inner.replace("\\\"", "\"").replace("\\\\", "\\"));
        check_key(key).map(Some)
    }
}

/// Takes a key of either origin: not empty, 255 bytes at most.
pub(crate) fn check_key(key: String) -> Result<String> {
    if key.is_empty() || key.len() > KEY_LIMIT {
        return Err(invalid("must have 1 to 255 bytes"));
    }
    Ok(key)
}

fn invalid(what: &str) -> Error {
    Error::Invalid(format!("the idempotency key {what}"))
}

/// The one value of a header, as text; several `Accept` lines mean one list.
pub(super) fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&str]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", value.parse().expect("a header value"));
        }
        IdempotencyHeader::of(&headers).key().map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_is_read_quoted_or_bare() {
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&["abc"]), Ok(Some("abc".into())));
        assert_eq!(key(&[r#""a \"b\"""#]), Ok(Some(r#"a "b""#.into())));
        assert!(key(&["a", "b"]).is_err());
        assert!(key(&[r#""""#]).is_err());
        assert!(key(&[&"k".repeat(255)]).is_ok());
        assert!(key(&[&"k".repeat(256)]).is_err());
    }
}
