//! `loquent schema`.

use serde_json::{Map, json};

use super::print;
use crate::cli::SchemaKind;
use crate::failure::Outcome;

/// Prints a schema; needs neither store nor settings.
///
/// # Errors
/// Stdout cannot be written.
pub(crate) fn run(kind: SchemaKind) -> Outcome<()> {
    match kind {
        SchemaKind::Graphql => print(gateway::sdl().trim_end()),
        SchemaKind::Events => {
            let schemas = events::schema::schemas().into_iter();
            let events = schemas.map(|named| (format!("{}.v{}", named.wire_type, named.version), json!(named.schema)));
            let all = json!({ "record": events::schema::record_schema(), "events": events.collect::<Map<_, _>>() });
            print(format_args!("{all:#}"))
        }
    }
}
