//! Integrations that name a plugin and hand it a configuration.

use serde_json::json;

use super::{make, named};
use crate::parts::components::wat;
use crate::parts::host::{Host, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_names_a_plugin_that_is_there() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("label", wat("label", "one")).await;
    tenant.upload("name=asleep&activate=false", wat("label", "one")).await.expect(201);
    for (plugin, says) in [
        (json!("nobody"), "there is no plugin `nobody`"),
        (json!("label@2"), "no version 2"),
        (json!("nobody@1"), "there is no plugin `nobody`"),
        (json!("asleep"), "active"),
        (json!("label@0"), "from 1"),
        (json!("label@01"), "from 1"),
        (json!("label@"), "from 1"),
        (json!("label@-1"), "from 1"),
        (json!("la bel"), ""),
        (json!(""), ""),
        (json!(1), ""),
    ] {
        let (field, detail) = named(&make(&tenant, json!({"plugin": plugin})).await);
        assert_eq!(field, "/plugin", "{plugin}");
        assert!(detail.contains(says), "{plugin}: {detail}");
    }
    let made = make(&tenant, json!({"plugin": "asleep@1"})).await.expect(201);
    assert_eq!(made["plugin"], "asleep@1");
    let path = format!("/integrations/{}", text(&made, "/id"));
    assert_eq!(named(&tenant.patch(&path, &json!({"plugin": "nobody"})).await).0, "/plugin");
    assert_eq!(
        tenant.get(&path).await.expect(200)["plugin"],
        "asleep@1",
        "a refused change changes nothing"
    );
    assert_eq!(
        tenant.patch(&path, &json!({"plugin": "label"})).await.expect(200)["plugin"],
        "label"
    );
    let default = tenant.patch(&path, &json!({"plugin": null})).await.expect(200);
    assert!(default.get("plugin").is_none(), "{default}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_judged_by_its_plugins_schema() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let schema = json!({"type": "object", "required": ["a/b~c"], "properties": {"a/b~c": {"type": "number"}, "deep": {"items": {"type": "string"}}}});
    tenant.plugin("mine", wat("schema", &schema.to_string())).await;
    for (plugin, config, pointer) in [
        ("flatten", json!({"review_below": 101}), "/plugin_config/review_below"),
        ("flatten", json!({"review_below": "60"}), "/plugin_config/review_below"),
        ("flatten", json!({"review_target": 7}), "/plugin_config/review_target"),
        ("flatten", json!({"fields": ["IBAN", 7]}), "/plugin_config/fields/1"),
        ("flatten", json!({"threshold": 7}), "/plugin_config/threshold"),
        ("flatten", json!(["review_below"]), "/plugin_config"),
        ("mine", json!({"a/b~c": "x"}), "/plugin_config/a~1b~0c"),
        ("mine", json!({"a/b~c": 1, "deep": ["x", 2]}), "/plugin_config/deep/1"),
        ("mine", json!({}), "/plugin_config/a~1b~0c"),
        ("mine", json!(null), "/plugin_config"),
    ] {
        let (field, detail) = named(&make(&tenant, json!({"plugin": plugin, "plugin_config": config})).await);
        assert_eq!(field, pointer, "{config}: {detail}");
    }
    make(&tenant, json!({"plugin": "flatten"})).await.expect(201);
    let made = make(
        &tenant,
        json!({"plugin": "flatten", "plugin_config": {"review_below": 60.5, "fields": ["IBAN"]}}),
    )
    .await
    .expect(201);
    let path = format!("/integrations/{}", text(&made, "/id"));
    let wrong = tenant.patch(&path, &json!({"plugin_config": {"review_below": -1}})).await;
    assert_eq!(named(&wrong).0, "/plugin_config/review_below");
    assert_eq!(
        named(&tenant.patch(&path, &json!({"plugin": "mine"})).await).0,
        "/plugin_config/a~1b~0c",
        "it is the new plugin's schema that counts"
    );
    assert_eq!(
        tenant.get(&path).await.expect(200)["plugin_config"],
        json!({"review_below": 60.5, "fields": ["IBAN"]})
    );
    // A plugin without a schema is handed anything.
    tenant.plugin("label", wat("label", "one")).await;
    make(&tenant, json!({"plugin": "label", "plugin_config": [1, "x"]}))
        .await
        .expect(201);
}
