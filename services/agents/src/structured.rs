//! Whether an answer has the form that was asked for.

use serde_json::Value;

/// Characters of what is wrong: it may quote the answer.
const QUOTE: usize = 200;

/// What is wrong with an answer's text, if it is not JSON that fits this schema.
pub(crate) fn violation(schema: &Value, text: &str) -> Option<String> {
    let options = jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex());
    let validator = match options.build(schema) {
        Ok(validator) => validator,
        Err(_) => return Some("the schema itself is none".into()),
    };
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => return Some("it is not JSON".into()),
    };
    let error = validator.iter_errors(&value).next()?;
    Some(format!("{} at {}", error, error.instance_path()).chars().take(QUOTE).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_fits_or_it_is_said_why_not() {
        let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
        assert_eq!(violation(&schema, r#"{"n": 1}"#), None);
        assert!(violation(&schema, r#"{"n": "x"}"#).is_some_and(|wrong| wrong.contains("/n")));
        assert_eq!(violation(&schema, "one"), Some("it is not JSON".into()));
        assert!(violation(&json!({ "type": 7 }), "{}").is_some());
    }
}
