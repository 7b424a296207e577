//! Relay's connections.

use async_graphql::connection::{Connection, Edge};
use async_graphql::{Context, Lookahead, OutputType, SimpleObject};
use projections::PageOf;

use super::scalars::int;

/// How many rows there are in all.
#[derive(SimpleObject)]
pub(super) struct Total {
    /// Rows of the whole list, not of this page.
    total_count: i32,
}

/// A page of a list, oldest first.
pub(super) type Listed<T> = Connection<String, T, Total>;

/// Puts rows into a connection; `show` makes a row what is shown.
pub(super) fn connection<R, T: OutputType>(rows: PageOf<R>, mut show: impl FnMut(R) -> T) -> Listed<T> {
    let total = Total { total_count: int(rows.total) };
    let mut connection = Connection::with_additional_fields(rows.has_previous, rows.has_next, total);
    connection.edges.extend(rows.rows.into_iter().map(|(cursor, row)| Edge::new(cursor, show(row))));
    connection
}

/// What a page of this many rows costs.
pub(super) fn cost(first: Option<i32>, last: Option<i32>, row: usize) -> usize {
    let rows = first.or(last).unwrap_or(50).clamp(1, 100);
    1 + rows.unsigned_abs() as usize * row
}

/// Whether the document asks for this field of a connection's rows: then it is fetched for all rows at once.
pub(super) fn wants(context: &Context<'_>, field: &str) -> bool {
    rows(context).iter().any(|row| row.field(field).exists())
}

/// As [`wants`], for a field of a field.
pub(super) fn wants_deep(context: &Context<'_>, field: &str, inner: &str) -> bool {
    rows(context).iter().any(|row| row.field(field).field(inner).exists())
}

fn rows<'c>(context: &'c Context<'_>) -> [Lookahead<'c>; 2] {
    let page = context.look_ahead();
    [page.field("nodes"), page.field("edges").field("node")]
}
