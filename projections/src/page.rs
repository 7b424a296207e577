//! A page of a list, as Relay asks for it, and the opaque cursors of its rows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use database::{Database, Row, Sql};
use uuid::Uuid;

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

/// What a list is sorted by; its text form, encoded, is a row's cursor. Each list has keys of its own form, so that the cursor
/// of one list is none in another.
pub(crate) trait Key: Sized {
    /// The columns, for `order by` in either direction.
    const COLUMNS: &'static [&'static str];
    fn text(&self) -> String;
    fn parse(text: &str) -> Option<Self>;
    /// Appends `($n, …)` in the order of the columns.
    fn bind(&self, sql: Sql) -> Sql;
}

/// Of a conversation in a person's list: ids are in the order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByConversation(pub(crate) Uuid);

/// Of a message in its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByPlace(pub(crate) i64, pub(crate) i32);

/// Of a turn in its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BySequence(pub(crate) i64);

/// Of a tool call among those that wait: ids are in the order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByCall(pub(crate) Uuid);

impl Key for ByConversation {
    const COLUMNS: &'static [&'static str] = &["conversation"];

    fn text(&self) -> String {
        format!("c{}", self.0.simple())
    }
    fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('c')?.parse().ok().map(Self)
    }
    fn bind(&self, sql: Sql) -> Sql {
        sql.list([self.0])
    }
}

impl Key for ByPlace {
    const COLUMNS: &'static [&'static str] = &["sequence", "position"];

    fn text(&self) -> String {
        format!("m{}.{}", self.0, self.1)
    }
    fn parse(text: &str) -> Option<Self> {
        let (sequence, position) = text.strip_prefix('m')?.split_once('.')?;
        Some(Self(sequence.parse().ok()?, position.parse().ok()?))
    }
    fn bind(&self, sql: Sql) -> Sql {
        sql.list([self.0, self.1.into()])
    }
}

impl Key for BySequence {
    const COLUMNS: &'static [&'static str] = &["sequence"];

    fn text(&self) -> String {
        format!("t{}", self.0)
    }
    fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('t')?.parse().ok().map(Self)
    }
    fn bind(&self, sql: Sql) -> Sql {
        sql.list([self.0])
    }
}

impl Key for ByCall {
    const COLUMNS: &'static [&'static str] = &["call"];

    fn text(&self) -> String {
        format!("a{}", self.0.simple())
    }
    fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('a')?.parse().ok().map(Self)
    }
    fn bind(&self, sql: Sql) -> Sql {
        sql.list([self.0])
    }
}

pub(crate) fn cursor(key: &impl Key) -> String {
    URL_SAFE_NO_PAD.encode(key.text())
}

fn key<K: Key>(cursor: &str) -> Result<K> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.and_then(|text| K::parse(&text).filter(|key| key.text() == text));
    key.ok_or(Error::Invalid("not a cursor of this list"))
}

/// The arguments, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Window<K> {
    after: Option<K>,
    before: Option<K>,
    limit: usize,
    from_the_end: bool,
}

/// Rows of a page in the list's order, not yet with cursors.
pub(crate) struct Found<R> {
    pub(crate) rows: Vec<R>,
    pub(crate) has_next: bool,
    pub(crate) has_previous: bool,
    pub(crate) total: i64,
}

impl<K: Key> Window<K> {
    pub(crate) fn of(page: &Page) -> Result<Self> {
        let (number, from_the_end) = match (page.first, page.last) {
            (Some(_), Some(_)) => return Err(Error::Invalid("first and last exclude each other")),
            (None, Some(last)) => (last, true),
            (first, None) => (first.unwrap_or(USUAL), false),
        };
        if number > LARGEST {
            return Err(Error::Invalid("a page has 100 rows at most"));
        }
        let limit = usize::try_from(number).map_err(|_| Error::Invalid("a page cannot have fewer than 0 rows"))?;
        let after = page.after.as_deref().map(key).transpose()?;
        let before = page.before.as_deref().map(key).transpose()?;
        Ok(Self { after, before, limit, from_the_end })
    }

    /// Reads the page of a list. `select` continues a statement that begins as it is told, up to its `where` and what makes the
    /// list there.
    pub(crate) async fn read<R: Row>(
        &self,
        database: &Database,
        columns: &str,
        select: impl Fn(&str) -> Sql,
    ) -> Result<Found<R>> {
        let mut rows: Vec<R> = database.fetch_all(self.rows(select(&format!("select {columns}")))).await?;
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        if self.from_the_end {
            rows.reverse();
        }
        let counts: Option<(i64, i64, i64)> = database.fetch_optional(self.counts(select)).await?;
        let (total, up_to_after, from_before) = counts.unwrap_or_default();
        Ok(Found {
            rows,
            has_next: from_before > 0 || (more && !self.from_the_end),
            has_previous: up_to_after > 0 || (more && self.from_the_end),
            total,
        })
    }

    /// One row more than asked for tells whether there are more.
    fn rows(&self, mut sql: Sql) -> Sql {
        let columns = K::COLUMNS.join(", ");
        if let Some(after) = &self.after {
            sql = after.bind(sql.push(&format!(" and ({columns}) > ")));
        }
        if let Some(before) = &self.before {
            sql = before.bind(sql.push(&format!(" and ({columns}) < ")));
        }
        let direction = if self.from_the_end { " desc" } else { "" };
        let order: Vec<_> = K::COLUMNS.iter().map(|column| format!("{column}{direction}")).collect();
        sql.push(&format!(" order by {} limit {}", order.join(", "), self.limit + 1))
    }

    /// How many rows the list has, how many of them lie before the window, how many after it.
    fn counts(&self, select: impl Fn(&str) -> Sql) -> Sql {
        let columns = K::COLUMNS.join(", ");
        let list = select(&format!("with list as (select {columns}"));
        let sql = list.push(") select (select count(*) from list), ");
        let sql = outside(sql, self.after.as_ref(), &format!("({columns}) <= "));
        outside(sql.push(", "), self.before.as_ref(), &format!("({columns}) >= "))
    }
}

fn outside<K: Key>(sql: Sql, bound: Option<&K>, condition: &str) -> Sql {
    match bound {
        None => sql.push("cast(0 as bigint)"),
        Some(key) => key.bind(sql.push("(select count(*) from list where ").push(condition)).push(")"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(page: &Page) -> Result<Window<BySequence>> {
        Window::of(page)
    }

    #[test]
    fn a_page_without_arguments_is_the_first_fifty() {
        let window = window(&Page::default()).unwrap();
        assert_eq!(window, Window { after: None, before: None, limit: 50, from_the_end: false });
    }

    #[test]
    fn pages_that_make_no_sense_are_refused() {
        let page = |first, last| Page { first, last, ..Page::default() };
        for (first, last) in
            [(Some(1), Some(1)), (Some(101), None), (None, Some(101)), (Some(-1), None), (None, Some(-1))]
        {
            assert!(matches!(window(&page(first, last)), Err(Error::Invalid(_))), "{first:?} {last:?}");
        }
        assert!(window(&page(Some(100), None)).is_ok() && window(&page(None, Some(0))).is_ok());
    }

    #[test]
    fn a_cursor_reads_back_and_belongs_to_its_list() {
        let after = |cursor: String| Page { after: Some(cursor), ..Page::default() };
        let ours = cursor(&BySequence(7));
        assert_eq!(window(&after(ours)).unwrap().after, Some(BySequence(7)));
        let others = [cursor(&ByPlace(7, 0)), cursor(&ByConversation(Uuid::nil())), String::new(), "!".into()];
        let odd = ["t+7", "t07", "t", "7", "t7 "].map(|text| URL_SAFE_NO_PAD.encode(text));
        for cursor in others.into_iter().chain(odd) {
            assert!(matches!(window(&after(cursor)), Err(Error::Invalid(_))));
        }
    }
}
