//! The contracts, for machines: the GraphQL schema and the JSON Schemas of the events.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::error::problem;

const SHORTLY: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=300");

/// `/schema.graphql`.
pub(super) async fn graphql() -> Response {
    static SDL: OnceLock<String> = OnceLock::new();
    let sdl = SDL.get_or_init(crate::sdl).as_str();
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), SHORTLY], sdl).into_response()
}

/// `/schemas/<type>/<version>.json`, as `dataschema` names it; the event's short name and a leading `v` do as well.
pub(super) async fn event(Path((kind, version)): Path<(String, String)>) -> Response {
    match schema(&kind, &version) {
        Some(schema) => ([(header::CONTENT_TYPE, "application/schema+json"), SHORTLY], schema).into_response(),
        None => problem(StatusCode::NOT_FOUND, "NOT_FOUND", "no event of this type and version"),
    }
}

fn schema(kind: &str, version: &str) -> Option<String> {
    let version = version.strip_suffix(".json")?;
    let version = version.strip_prefix('v').unwrap_or(version);
    let named = events::schema::schemas()
        .into_iter()
        .find(|named| (named.wire_type == kind || named.name == kind) && named.version == version)?;
    serde_json::to_string_pretty(&named.schema).ok()
}

#[cfg(test)]
mod tests {
    use super::schema;

    #[test]
    fn a_schema_has_several_names() {
        let wanted = schema("dev.loquent.message.completed", "1.json");
        assert!(wanted.is_some());
        assert_eq!(schema("MessageCompleted", "v1.json"), wanted);
        assert_eq!(schema("MessageCompleted", "2.json"), None);
        assert_eq!(schema("MessageCompleted", "1"), None);
        assert_eq!(schema("Nothing", "1.json"), None);
    }
}
