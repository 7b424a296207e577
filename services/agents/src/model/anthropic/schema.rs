//! Which JSON Schemas the server takes as the format of an answer: it knows few keywords and refuses a request with others.

use serde_json::{Map, Value, json};

/// Keywords that say nothing about what is below them.
const PLAIN: [&str; 8] = ["type", "description", "title", "enum", "const", "default", "required", "format"];
/// Formats of texts that it knows.
const FORMATS: [&str; 9] = ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6"];

/// The schema in the server's form, if it has one: every object is closed, which leaves fewer answers and none that is wrong.
pub(super) fn strict(schema: &Value) -> Option<Value> {
    let schema = schema.as_object()?;
    let mut strict = Map::new();
    for (keyword, value) in schema {
        let value = match keyword.as_str() {
            "format" if !value.as_str().is_some_and(|format| FORMATS.contains(&format)) => return None,
            plain if PLAIN.contains(&plain) => value.clone(),
            "properties" => {
                let entry = |(name, value): (&String, &Value)| Some((name.clone(), self::strict(value)?));
                Value::Object(value.as_object()?.iter().map(entry).collect::<Option<_>>()?)
            }
            "items" => self::strict(value)?,
            "anyOf" => Value::Array(value.as_array()?.iter().map(self::strict).collect::<Option<_>>()?),
            "additionalProperties" if value.is_boolean() => json!(false),
            "$schema" => continue,
            _ => return None,
        };
        strict.insert(keyword.clone(), value);
    }
    let is_object = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|one| one == "object"),
        Some(one) => one == "object",
        None => schema.contains_key("properties"),
    };
    if is_object {
        // Closed, it would be always empty.
        schema.get("properties")?;
        strict.insert("additionalProperties".into(), json!(false));
    }
    Some(Value::Object(strict))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_at_every_depth() {
        let item = json!({"type": "object", "properties": {"at": {"type": "string", "format": "date"}}});
        let schema =
            json!({"$schema": "x", "type": "object", "properties": {"list": {"type": "array", "items": item}}});
        let item = json!({"type": "object", "properties": {"at": {"type": "string", "format": "date"}},
            "additionalProperties": false});
        let expected = json!({"type": "object", "properties": {"list": {"type": "array", "items": item}},
            "additionalProperties": false});
        assert_eq!(strict(&schema), Some(expected));
    }

    #[test]
    fn a_schema_with_a_keyword_that_the_server_refuses_has_no_such_form() {
        for schema in [
            json!({"type": "integer", "minimum": 3}),
            json!({"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}}),
            json!({"anyOf": [{"type": "string"}, {"$ref": "#"}]}),
            json!({"type": "string", "format": "iban"}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "object"}),
            json!(true),
        ] {
            assert_eq!(strict(&schema), None, "{schema}");
        }
    }
}
