//! The configuration of a plugin that has one: its schema, and reading it.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Error;

/// The JSON Schema (2020-12) of a configuration type, as JSON text.
///
/// It describes what the type reads, not what it would write: a field with a default is not required, and a type that is
/// content with no configuration at all allows `null` in place of its object.
pub fn schema<C: JsonSchema + DeserializeOwned>() -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<C>();
    let is_object = schema.get("type").and_then(|kind| kind.as_str()) == Some("object");
    if is_object && read::<C>("null").is_ok() {
        schema.insert("type".to_owned(), json!(["object", "null"]));
    }
    schema.as_value().to_string()
}

/// Reads an integration's `plugin_config`. One that is not set is `null`, and is read as `{}` by a type that does not
/// take `null`: so a type all of whose fields have defaults needs no configuration at all.
///
/// # Errors
/// Says what does not fit.
pub(crate) fn read<C: DeserializeOwned>(text: &str) -> Result<C, Error> {
    let read = match serde_json::from_str(text) {
        Err(_) if text == "null" => serde_json::from_str("{}"),
        read => read,
    };
    read.map_err(|error| format!("plugin_config does not fit: {error}").into())
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::Value;

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
    fn a_schema_allows_null_where_nothing_is_needed() {
        let kind = |schema: String| serde_json::from_str::<Value>(&schema).expect("a schema is JSON")["type"].take();
        assert_eq!(kind(schema::<Settings>()), serde_json::json!(["object", "null"]));
        assert_eq!(kind(schema::<Needed>()), "object");
    }
}
