//! The committed schemas are those of the code. `UPDATE_SCHEMAS=1` writes them anew.

use std::path::Path;

use events::schema;

#[test]
fn the_committed_schemas_are_those_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let named = schema::schemas().into_iter().map(|s| (format!("{}.v{}.json", s.wire_type, s.version), s.schema));
    for (name, schema) in named.chain([("record.json".to_owned(), schema::record_schema())]) {
        let file = folder.join(&name);
        let expected = format!("{}\n", serde_json::to_string_pretty(&schema).expect("json"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&file, &expected).expect("write");
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == expected, "{name} differs from the code: run UPDATE_SCHEMAS=1 cargo test -p events");
    }
}
