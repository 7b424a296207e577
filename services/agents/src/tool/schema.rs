//! Whether arguments fit, said so that a model can mend them.

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use super::text;

/// Bytes of a call's arguments.
const ARGUMENTS: usize = 256 << 10;
/// Mistakes that are named at once.
const MISTAKES: usize = 5;
/// Characters of one mistake: it may quote what was wrong.
const MISTAKE: usize = 300;

/// A schema that was read and found sound. It knows nothing but itself: no reference leads out of it.
pub(super) struct Schema(Validator);

impl Schema {
    /// Reads the schema of a tool's arguments.
    ///
    /// # Errors
    /// It is none, or not of an object.
    pub(super) fn new(schema: &Value) -> Result<Self, String> {
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("parameters must be a JSON Schema of type \"object\"".into());
        }
        // This engine takes linear time, whatever the pattern and the text.
        let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
        let validator = options.build(schema);
        validator.map(Self).map_err(|error| format!("parameters are no JSON Schema: {}", mistake(&error)))
    }

    /// Arguments as the model wrote them, in canonical form.
    ///
    /// # Errors
    /// They do not fit; the message says where and why.
    pub(super) fn check(&self, arguments: &str) -> Result<Value, String> {
        if arguments.len() > ARGUMENTS {
            return Err(format!("the arguments are longer than {ARGUMENTS} bytes"));
        }
        let value = match arguments.trim() {
            "" => Value::Object(Map::new()),
            json => serde_json::from_str(json).map_err(|error| format!("the arguments are not JSON: {error}"))?,
        };
        if text::holds_nul(&value) {
            return Err("the arguments hold a NUL character, which no text may".into());
        }
        let mistakes: Vec<String> = self.0.iter_errors(&value).take(MISTAKES).map(|error| mistake(&error)).collect();
        if !mistakes.is_empty() {
            return Err(format!("the arguments do not fit the tool's parameters: {}", mistakes.join("; ")));
        }
        canonical(&value)
    }
}

fn canonical(value: &Value) -> Result<Value, String> {
    let inexact = |_| "the arguments hold a number that cannot be kept exactly; write it as a text".to_owned();
    let json = serde_json_canonicalizer::to_string(value).map_err(inexact)?;
    serde_json::from_str(&json).map_err(|error| format!("the arguments are not JSON: {error}"))
}

fn mistake(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    let place = path.trim_start_matches('/').replace('/', ".");
    let said = text::line(&error.to_string(), MISTAKE);
    if place.is_empty() { said } else { format!("at `{place}`: {said}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn branches() -> Schema {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "minLength": 1 },
                "tags": { "type": "array", "items": { "type": "string" } },
            },
            "required": ["name"],
            "additionalProperties": false,
        });
        Schema::new(&schema).expect("schema")
    }

    #[test]
    fn arguments_that_fit_come_back_in_canonical_form() {
        let first = branches().check(r#"{"tags":[],"name":"a"}"#).expect("fits");
        let second = branches().check("  {\"name\" : \"\\u0061\", \"tags\":[]}").expect("fits");
        assert_eq!(first.to_string(), second.to_string());
        assert_eq!(first.to_string(), r#"{"name":"a","tags":[]}"#);
    }

    #[test]
    fn no_arguments_at_all_are_an_empty_object() {
        let schema = Schema::new(&json!({ "type": "object" })).expect("schema");
        assert_eq!(schema.check(""), Ok(json!({})));
        assert_eq!(schema.check(r#"{"n": 1.0}"#).map(|value| value.to_string()), Ok(r#"{"n":1}"#.into()));
    }

    #[test]
    fn each_mistake_says_where_it_is() {
        let said = branches().check(r#"{"tags":["a", 5], "more": 1}"#).expect_err("does not fit");
        assert!(said.contains("\"name\" is a required property"), "{said}");
        assert!(said.contains("at `tags.1`: 5 is not of type \"string\""), "{said}");
        assert!(said.contains("'more' was unexpected"), "{said}");
    }

    #[test]
    fn what_is_no_object_or_no_json_is_refused_in_words() {
        assert!(branches().check("{\"name\": ").expect_err("cut").starts_with("the arguments are not JSON: "));
        assert!(branches().check("[]").expect_err("list").contains("[] is not of type \"object\""));
        assert!(branches().check("{\"name\": \"a\\u0000\"}").expect_err("NUL").contains("NUL"));
        assert!(branches().check(&format!("{{\"name\": \"{}\"}}", "a".repeat(300 << 10))).is_err());
        let long = branches().check(&format!("{{\"name\": {}1}}", "1".repeat(4000))).expect_err("number");
        assert!(long.len() < 1000, "{}", long.len());
    }

    #[test]
    fn a_schema_must_be_sound_and_reach_nothing_outside() {
        let refused = |schema: Value| Schema::new(&schema).err().expect("refused");
        assert!(refused(json!({ "type": "string" })).contains("of type \"object\""));
        assert!(refused(json!({ "type": "object", "required": 5 })).contains("no JSON Schema"));
        for outside in ["http://127.0.0.1:1/s.json", "https://example.com/s.json", "file:///etc/passwd"] {
            refused(json!({ "type": "object", "properties": { "a": { "$ref": outside } } }));
        }
    }
}
