//! Configurations are checked by the schema of a tenant's plugin, whatever that schema is.

use hookmill_plugin_room::{CheckError, ConfigError, Refusal};

use crate::House;
use crate::guests::{Guest, SKIP, component};

const SCHEMA: &str = r#"{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}"#;

fn with_schema(schema: &str) -> Vec<u8> {
    let items = format!(
        r#"(data (i32.const 16384) "{}")
           (func (export "hookmill:plugin/configuration@1.0.0#schema") (result i32)
               (i32.store (i32.const 600) (i32.const 16384)) (i32.store (i32.const 604) (i32.const {}))
               (i32.const 600))"#,
        schema.replace('\\', "\\\\").replace('"', "\\\""),
        schema.len()
    );
    let module = Guest {
        items: &items,
        transform: SKIP,
        pages: 4,
        ..Guest::default()
    }
    .module();
    component(
        &module,
        "world guest { export hookmill:plugin/transformer@1.0.0; export hookmill:plugin/configuration@1.0.0; }",
    )
}

#[tokio::test]
async fn a_plugins_schema_is_read_at_upload() {
    let house = House::new();
    let inspection = house.plugins.inspect(None, with_schema(SCHEMA).into()).await.expect("a plugin");
    assert_eq!(inspection.schema.as_deref(), Some(SCHEMA));
}

/// The plugin of the repository that has a configuration.
#[tokio::test]
async fn the_schema_of_flatten_is_taken() {
    let house = House::new();
    let flatten = include_bytes!("../../../../plugins/flatten/flatten.wasm");
    let inspection = house.plugins.inspect(None, flatten.to_vec().into()).await.expect("a plugin");
    let schema = inspection.schema.expect("its schema");
    house.plugins.check_config(&schema, "{}").await.expect("nothing in it is required");
    let checked = house.plugins.check_config(&schema, "[]").await;
    assert!(matches!(checked, Err(CheckError::Config(_))), "{checked:?}");
}

#[tokio::test]
async fn a_schema_that_can_not_be_used_is_refused_at_upload() {
    let house = House::new();
    for schema in [
        "",
        "no JSON",
        r#"{"type": 5}"#,
        r#"{"$ref": "http://localhost/x"}"#,
        r#"{"pattern": "(?=a)b"}"#,
    ] {
        let refusal = house
            .plugins
            .inspect(None, with_schema(schema).into())
            .await
            .expect_err("a bad schema");
        assert!(matches!(refusal, Refusal::BadSchema { .. }), "{schema}: {refusal}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_configuration_is_pointed_at() {
    let house = House::new();
    house.plugins.check_config(SCHEMA, r#"{"n": 1}"#).await.expect("it fits");
    let error = house
        .plugins
        .check_config(SCHEMA, r#"{"n": "1"}"#)
        .await
        .expect_err("it does not fit");
    assert!(matches!(error, CheckError::Config(ConfigError { pointer, .. }) if pointer == "/n"));
}

/// Such schemas take a validator exponential time, or all of its stack: the child's limits end them, and the host is none the wiser.
#[tokio::test]
async fn a_schema_without_end_ends_with_its_child() {
    let house = House::new();
    let mut definitions = String::new();
    for level in 0..40 {
        let next = level + 1;
        definitions.push_str(&format!(
            r##""d{level}": {{"allOf": [{{"$ref": "#/$defs/d{next}"}}, {{"$ref": "#/$defs/d{next}"}}]}},"##
        ));
    }
    let doubling = format!(r##"{{"$defs": {{{definitions} "d40": {{"type": "integer"}}}}, "$ref": "#/$defs/d0"}}"##);
    let itself = r##"{"$ref": "#"}"##.to_owned();
    for schema in [doubling, itself] {
        let checked = house.plugins.check_config(&schema, "1").await;
        // Whoever can judge it in time may; nobody else is held up, and the next check is answered.
        assert!(matches!(checked, Ok(()) | Err(CheckError::Schema { .. })), "{checked:?}");
        house.plugins.check_config(SCHEMA, r#"{"n": 1}"#).await.expect("it fits");
    }
}
