//! Judges a configuration by a plugin's schema. Both are a tenant's, and can be made to take exponential time or stack: so this runs in
//! a child process with limits, never in the host itself.
//!
//! JSON Schema 2020-12; references within the document alone; regular expressions of linear time.

use hookmill_domain::outcome::cut;
use hookmill_domain::pointer::{below, told};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest schema that is taken.
pub(crate) const SCHEMA_BYTES_MAX: usize = 64 * 1024;
const MESSAGE_BYTES_MAX: usize = 1024;

/// What is to be judged.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) schema: String,
    /// Absent: the schema alone is judged.
    pub(crate) config: Option<String>,
}

/// How it was judged.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Valid,
    BadSchema { message: String },
    BadConfig { pointer: String, message: String },
}

/// Judges.
pub(crate) fn judge(question: &Question) -> Verdict {
    let bad_schema = |message: String| Verdict::BadSchema { message: short(message) };
    if question.schema.len() > SCHEMA_BYTES_MAX {
        return bad_schema(format!("it has {} bytes, and may have {SCHEMA_BYTES_MAX}", question.schema.len()));
    }
    let schema: Value = match serde_json::from_str(&question.schema) {
        Ok(schema) => schema,
        Err(error) => return bad_schema(format!("it is not JSON: {error}")),
    };
    if let Some(draft) = schema.get("$schema").and_then(Value::as_str)
        && draft.trim_end_matches('#') != "https://json-schema.org/draft/2020-12/schema"
    {
        return bad_schema(format!("it is for `{draft}`; JSON Schema 2020-12 is what is taken"));
    }
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex());
    let validator = match options.offline().build(&schema) {
        Ok(validator) => validator,
        Err(error) => return bad_schema(format!("at `{}`: {error}", error.instance_path())),
    };
    let Some(config) = &question.config else { return Verdict::Valid };
    let config: Value = match serde_json::from_str(config) {
        Ok(config) => config,
        Err(error) => {
            return Verdict::BadConfig {
                pointer: String::new(),
                message: short(format!("it is not JSON: {error}")),
            };
        }
    };
    match validator.validate(&config) {
        Ok(()) => Verdict::Valid,
        Err(error) => Verdict::BadConfig {
            pointer: place(&error),
            message: short(error.to_string()),
        },
    }
}

/// What is wrong: a member that is missing or not allowed itself, and not what it would stand in.
fn place(error: &ValidationError<'_>) -> String {
    let pointer = error.instance_path().to_string();
    let member = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            unexpected.first().map(String::as_str)
        }
        ValidationErrorKind::Required { property } => property.as_str(),
        _ => None,
    };
    short(member.map_or(pointer.clone(), |member| below(&pointer, &told(member))))
}

fn short(mut message: String) -> String {
    cut(&mut message, MESSAGE_BYTES_MAX);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(schema: &str, config: Option<&str>) -> Verdict {
        judge(&Question {
            schema: schema.to_owned(),
            config: config.map(str::to_owned),
        })
    }

    fn bad_schema(schema: &str) -> String {
        match judged(schema, None) {
            Verdict::BadSchema { message } => message,
            verdict => panic!("{verdict:?} of {schema}"),
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let schema = r#"{"type": "object", "properties": {"a": {"items": {"type": "integer"}}}, "required": ["a"]}"#;
        assert_eq!(judged(schema, Some(r#"{"a": [1, 2]}"#)), Verdict::Valid);
        let Verdict::BadConfig { pointer, message } = judged(schema, Some(r#"{"a": [1, "2"]}"#)) else {
            panic!("accepted")
        };
        assert_eq!(pointer, "/a/1");
        assert!(message.contains("integer"), "{message}");
        assert!(matches!(judged(schema, Some("null")), Verdict::BadConfig { pointer, .. } if pointer.is_empty()));
        assert!(matches!(judged(schema, Some("{")), Verdict::BadConfig { .. }));
        for (schema, config, wrong) in [
            (r#"{"properties": {"a": {"required": ["b/c"]}}}"#, r#"{"a": {}}"#, "/a/b~1c"),
            (
                r#"{"properties": {"d": {"properties": {"a": {}}, "additionalProperties": false}}}"#,
                r#"{"d": {"e": 1}}"#,
                "/d/e",
            ),
            (r#"{"unevaluatedProperties": false}"#, r#"{"f": 1}"#, "/f"),
        ] {
            let verdict = judged(schema, Some(config));
            assert!(
                matches!(&verdict, Verdict::BadConfig { pointer, .. } if pointer == wrong),
                "{verdict:?} of {config}"
            );
        }
    }

    #[test]
    fn long_names_are_told_in_part() {
        let name = "~".repeat(60_000);
        for (schema, config) in [
            (r#"{"unevaluatedProperties": false}"#, format!(r#"{{"{name}": 1}}"#)),
            (r#"{"additionalProperties": {"type": "string"}}"#, format!(r#"{{"{name}": 1}}"#)),
        ] {
            let Verdict::BadConfig { pointer, message } = judged(schema, Some(&config)) else {
                panic!("accepted")
            };
            assert!(
                pointer.starts_with("/~0~0") && pointer.len() <= MESSAGE_BYTES_MAX,
                "{}",
                pointer.len()
            );
            assert!(message.len() <= MESSAGE_BYTES_MAX);
        }
    }

    #[test]
    fn a_schema_that_can_not_be_used_is_refused() {
        assert!(bad_schema("{").contains("not JSON"));
        assert!(bad_schema(r#"{"type": "nonsense"}"#).contains("/type"));
        assert!(bad_schema(&format!("{{\"title\": \"{}\"}}", "x".repeat(SCHEMA_BYTES_MAX))).contains("bytes"));
        bad_schema(r#"{"$ref": "https://example.com/other"}"#);
        bad_schema(r#"{"$ref": "file:///etc/passwd"}"#);
        bad_schema(r#"{"$schema": "http://json-schema.org/draft-07/schema#"}"#);
    }

    #[test]
    fn regular_expressions_are_of_linear_time() {
        // Backtracking engines take a backreference; the linear one can not.
        bad_schema(r#"{"pattern": "^(a)\\1$"}"#);
        let schema = r#"{"pattern": "^(a+)+$"}"#;
        let config = format!("\"{}!\"", "a".repeat(50_000));
        assert!(matches!(judged(schema, Some(&config)), Verdict::BadConfig { .. }));
    }

    #[test]
    fn references_within_the_document_are_followed() {
        let schema = r##"{"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}"##;
        assert_eq!(judged(schema, Some(r#"{"a": 1}"#)), Verdict::Valid);
        assert!(matches!(judged(schema, Some(r#"{"a": "x"}"#)), Verdict::BadConfig { pointer, .. } if pointer == "/a"));
    }
}
