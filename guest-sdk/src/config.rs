//! The configuration of a plugin that has one: its schema, and reading it.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Error;
use crate::whole::with_whole_numbers;

/// The JSON Schema (2020-12) of a configuration type, as JSON text.
///
/// It describes what the type reads, not what it would write: a field with a default is not required, and a type that is
/// content with no configuration at all allows `null` in place of its object. Integers have the bounds of their types.
pub fn schema<C: JsonSchema + DeserializeOwned>() -> String {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(bound));
    let mut schema = settings.into_generator().into_root_schema_for::<C>();
    let is_object = schema.get("type").and_then(|kind| kind.as_str()) == Some("object");
    if is_object && read::<C>("null").is_ok() {
        schema.insert("type".to_owned(), json!(["object", "null"]));
    }
    schema.as_value().to_string()
}

/// Writes the bounds of an integer's type where its schema has but the type's name, which judges nothing: what a host takes
/// by the schema is then read.
fn bound(schema: &mut Schema) {
    let (least, most): (i64, u64) = match schema.get("format").and_then(Value::as_str) {
        // Those that are as wide as an address have 32 bits in a component.
        Some("int32" | "int") => (i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        Some("uint32" | "uint") => (0, u32::MAX.into()),
        Some("int64") => (i64::MIN, i64::MAX.unsigned_abs()),
        Some("uint64") => (0, u64::MAX),
        _ => return,
    };
    for (name, bound) in [("minimum", json!(least)), ("maximum", json!(most))] {
        if schema.get(name).is_none() {
            schema.insert(name.to_owned(), bound);
        }
    }
}

/// Reads an integration's `plugin_config`. One that is not set is `null`, and is read as `{}` by a type that does not
/// take `null`: so a type all of whose fields have defaults needs no configuration at all. An integer may be written as
/// `4.0`, since a schema takes it.
///
/// # Errors
/// Says what does not fit.
pub(crate) fn read<C: DeserializeOwned>(text: &str) -> Result<C, Error> {
    let read = serde_json::from_str(text).or_else(|error| match text {
        "null" => serde_json::from_str("{}"),
        _ => serde_json::from_str(&with_whole_numbers(text)).map_err(|_| error),
    });
    read.map_err(|error| format!("plugin_config does not fit: {error}").into())
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::{read, schema};

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Settings {
        #[serde(default)]
        limit: u32,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Needed {
        limit: u32,
    }

    #[test]
    fn what_is_not_set_is_empty() {
        assert_eq!(read::<Settings>("null").ok(), Some(Settings { limit: 0 }));
        assert_eq!(read::<Option<Settings>>("null").ok(), Some(None));
        assert_eq!(read::<Settings>(r#"{"limit": 3}"#).ok(), Some(Settings { limit: 3 }));
    }

    #[test]
    fn an_integer_is_what_a_schema_takes_for_one() {
        for three in ["3", "3.0", "30e-1"] {
            let read = read::<Needed>(&format!(r#"{{"limit": {three}}}"#));
            assert_eq!(read.ok(), Some(Needed { limit: 3 }), "{three}");
        }
        let error = read::<Needed>(r#"{"limit": 3.5}"#).expect_err("it is no integer");
        assert_eq!(
            error.to_string(),
            "plugin_config does not fit: invalid type: floating point `3.5`, expected u32 at line 1 column 13"
        );
    }

    #[test]
    fn what_does_not_fit_says_what() {
        let message = |text| read::<Needed>(text).expect_err("it does not fit").to_string();
        assert_eq!(
            message("null"),
            "plugin_config does not fit: missing field `limit` at line 1 column 2"
        );
        assert_eq!(
            message(r#"{"limit": "x"}"#),
            "plugin_config does not fit: invalid type: string \"x\", expected u32 at line 1 column 13"
        );
    }

    #[test]
    fn a_schema_says_how_large_an_integer_may_be() {
        #[derive(Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its schema is looked at")]
        struct Integers {
            small: Option<i32>,
            large: Vec<u64>,
            #[schemars(range(max = 64))]
            bounded: usize,
        }
        let schema: Value = serde_json::from_str(&schema::<Integers>()).expect("a schema is JSON");
        let bounds = |pointer: &str| {
            let found = schema.pointer(pointer).expect("it is there");
            (found["minimum"].clone(), found["maximum"].clone())
        };
        assert_eq!(bounds("/properties/small"), (json!(i32::MIN), json!(i32::MAX)));
        assert_eq!(bounds("/properties/large/items"), (json!(0), json!(u64::MAX)));
        assert_eq!(bounds("/properties/bounded"), (json!(0), json!(64)));
    }

    #[test]
    fn a_schema_allows_null_where_nothing_is_needed() {
        let kind = |schema: String| serde_json::from_str::<Value>(&schema).expect("a schema is JSON")["type"].take();
        assert_eq!(kind(schema::<Settings>()), json!(["object", "null"]));
        assert_eq!(kind(schema::<Needed>()), "object");
    }
}
