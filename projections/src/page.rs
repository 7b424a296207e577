//! A page of a list, as Relay asks for it, and the opaque cursors of its rows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Error, Result};

/// Rows a page at most.
const LARGEST: i32 = 100;
/// Rows a page where nothing is said.
const USUAL: i32 = 50;

/// Which rows of a list: the arguments of a Relay connection. The default is its first 50 rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// So many from the beginning, 0 to 100.
    pub first: Option<i32>,
    /// Only rows after the one with this cursor.
    pub after: Option<String>,
    /// So many from the end, 0 to 100; not together with `first`.
    pub last: Option<i32>,
    /// Only rows before the one with this cursor.
    pub before: Option<String>,
}

/// One page: the rows in the list's order, each with its cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOf<T> {
    /// The rows.
    pub rows: Vec<(String, T)>,
    /// Whether the list has rows after these.
    pub has_next: bool,
    /// Whether the list has rows before these.
    pub has_previous: bool,
    /// How many rows the whole list has.
    pub total: i64,
}
