//! The built-in plugins that serve without code, `filter` and `redact`: what receivers get, what is skipped, rejected and refused.

use serde_json::{Value, json};

use super::{make, named};
use crate::parts::client::Client;
use crate::parts::host::{Host, text};
use crate::parts::receiver::Receiver;

/// An integration with a built-in plugin for two kinds of events.
async fn integration(tenant: &Client, receiver: &Receiver, plugin: &str, config: Value) {
    let more = json!({"events": ["document_predict", "document_text"], "plugin": plugin, "plugin_config": config});
    tenant.integration(&receiver.url("/"), more).await;
}

/// Posts an event of the kind `document_predict` with this data; gives what became of its one run, with the reason.
async fn outcome(tenant: &Client, data: &str) -> (String, String) {
    let event = tenant.event(format!(r#"{{"event":"document_predict","data":{data}}}"#)).await;
    let run = tenant.settled(&event).await["runs"][0].clone();
    (
        text(&run, "/state").to_owned(),
        run["reason"].as_str().unwrap_or_default().to_owned(),
    )
}

/// The bodies that a receiver has got, once they are so many, in the order of their bytes.
async fn bodies(receiver: &Receiver, wanted: usize) -> Vec<String> {
    let received = receiver.wait_for(wanted).await;
    let mut bodies: Vec<String> = received
        .into_iter()
        .map(|got| {
            assert_eq!((&*got.method, got.header("content-type")), ("POST", "application/json"));
            String::from_utf8(got.body.to_vec()).expect("a payload is text")
        })
        .collect();
    bodies.sort();
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn filter_delivers_what_satisfies_to_the_byte_and_skips_the_rest() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let condition = json!({"all": [
        {"pointer": "/data/prediction/annotations/amount_payable/*/value", "at_least": 1000},
        {"not": {"pointer": "/data/prediction/annotations/*/*/confidence", "less_than": 60}},
    ]});
    integration(&tenant, &receiver, "filter", json!({"deliver_if": condition})).await;

    // The second value is enough, and nothing of what is around it changes.
    let data = "{ \"z\":1.10,\t\"id\":\"1\", \"prediction\":{\"annotations\":{\"amount_payable\":[{\"value\":\"12.5\"},\r\n{\"value\": 1000.00}]}},\
         \"e\": \"\\u00e9é\", \"k\":1,\"k\":1e400 }";
    let skipped = |reason: &str| ("skipped".to_owned(), format!("the condition does not hold: {reason}"));
    assert_eq!(outcome(&tenant, data).await, ("done".to_owned(), String::new()));
    assert_eq!(
        outcome(
            &tenant,
            r#"{"id":"2","prediction":{"annotations":{"amount_payable":[{"value":999.999999999999999999}]}}}"#
        )
        .await,
        skipped("what stands at /data/prediction/annotations/amount_payable/*/value does not fit (plugin_config/deliver_if/all/0)")
    );
    assert_eq!(
        outcome(&tenant, r#"{"id":"3"}"#).await,
        skipped("there is nothing at /data/prediction/annotations/amount_payable/*/value (plugin_config/deliver_if/all/0)")
    );
    let doubtful = r#"{"id":"4","prediction":{"annotations":{"amount_payable":[{"value":5000}],"IBAN":[{"confidence":"59"}]}}}"#;
    assert_eq!(
        outcome(&tenant, doubtful).await,
        skipped("what is under not holds (plugin_config/deliver_if/all/1)")
    );
    assert_eq!(
        bodies(&receiver, 1).await,
        [format!(
            r#"{{"event": "document_predict", "organization": "contractfit1", "data": {data}}}"#
        )]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redact_hides_what_it_is_told_and_leaves_every_other_byte() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    // A number is whole however it is written: to the schema, and so to the plugin.
    let config = json!({
        "drop": [{"pointer": "/data/text"}, {"pointer": "/data/prediction/lines"}],
        "mask": [
            {"pointer": "/data/*/annotations/IBAN/*/value", "keep_last": 4.0, "required": true},
            {"pointer": "/data/*/annotations/IBAN/*/text", "replacement": "[hidden]"},
        ],
    });
    integration(&tenant, &receiver, "redact", config).await;

    let data = "{ \"z\":1.10,\t\"id\":\"1\", \"text\":\"SECRET\", \"prediction\":{\"annotations\":{ \
         \"IBAN\":[{\"value\": \"BE90290050800032\",\"text\":\"SECRET\" , \"confidence\":97}],\
         \"\\u0049BAN\":[{\"v\\u0061lue\":\"SECRET-SECRET-\\u00e9nd\"}], \"IBAN\" :[{\"value\":17}]}, \"lines\" : {\"SECRET\":[]}},\n\
         \"t\\u0065xt\":[\"SECRET\"], \"e\": \"\\u00e9é\", \"k\":1,\"k\":1e400 }";
    let redacted = "{ \"z\":1.10,\t\"id\":\"1\", \"prediction\":{\"annotations\":{ \
         \"IBAN\":[{\"value\": \"***0032\",\"text\":\"[hidden]\" , \"confidence\":97}],\
         \"\\u0049BAN\":[{\"v\\u0061lue\":\"***T\\u00e9nd\"}], \"IBAN\" :[{\"value\":\"***\"}]}}, \"e\": \"\\u00e9é\", \"k\":1,\"k\":1e400 }";
    assert_eq!(outcome(&tenant, data).await, ("done".to_owned(), String::new()));
    assert_eq!(
        bodies(&receiver, 1).await,
        [format!(
            r#"{{"event": "document_predict", "organization": "contractfit1", "data": {redacted}}}"#
        )]
    );

    // Without what must be hidden nothing is sent, until somebody has looked.
    let event = tenant
        .event(r#"{"event":"document_predict","data":{"id":"2","text":"SECRET"}}"#)
        .await;
    let run = tenant.run_of(&event).await;
    assert_eq!(
        (text(&run, "/state"), text(&run, "/reason")),
        (
            "parked",
            "there is nothing at /data/*/annotations/IBAN/*/value, where something must be hidden"
        )
    );
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_not_in_order_is_refused_where_it_is_wrong() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let test = json!({"pointer": "/data/id", "exists": true});
    let not = |condition: &Value| json!({"not": condition});
    let deepest = (0..4).fold(test.clone(), |condition, _| not(&condition));
    for (plugin, config, pointer) in [
        ("filter", json!(null), ""),
        ("filter", json!({}), "/deliver_if"),
        ("filter", json!({"deliver_if": {}}), "/deliver_if"),
        ("filter", json!({"deliver_if": {"equals": 1}}), "/deliver_if/pointer"),
        ("filter", json!({"deliver_if": {"pointer": "/data/id"}}), "/deliver_if"),
        (
            "filter",
            json!({"deliver_if": {"pointer": "/id", "exists": true}}),
            "/deliver_if/pointer",
        ),
        (
            "filter",
            json!({"deliver_if": {"pointer": "/data/id", "less_than": "1"}}),
            "/deliver_if/less_than",
        ),
        (
            "filter",
            json!({"deliver_if": {"pointer": "/data/id", "equals": []}}),
            "/deliver_if/equals",
        ),
        (
            "filter",
            json!({"deliver_if": {"pointer": "/data/id", "exists": null}}),
            "/deliver_if/exists",
        ),
        (
            "filter",
            json!({"deliver_if": {"all": [test, {"any": [{"pointer": "/data/~", "exists": true}]}]}}),
            "/deliver_if/all/1/any/0/pointer",
        ),
        ("filter", json!({"deliver_if": {"all": []}}), "/deliver_if/all"),
        ("filter", json!({"deliver_if": not(&deepest)}), "/deliver_if/not/not/not/not/not"),
        ("redact", json!(null), ""),
        ("redact", json!({}), ""),
        ("redact", json!({"drop": []}), "/drop"),
        ("redact", json!({"drop": ["/data/text"]}), "/drop/0"),
        ("redact", json!({"drop": [{"pointer": "/text"}]}), "/drop/0/pointer"),
        ("redact", json!({"drop": [{"pointer": "/data"}]}), "/drop/0/pointer"),
        (
            "redact",
            json!({"drop": [{"pointer": format!("/data{}", "/a".repeat(32))}]}),
            "/drop/0/pointer",
        ),
        (
            "redact",
            json!({"drop": [{"pointer": "/data/text", "keep_last": 4}]}),
            "/drop/0/keep_last",
        ),
        (
            "redact",
            json!({"mask": [{"pointer": "/data/text"}, {"pointer": "/data/id", "keep_last": -1}]}),
            "/mask/1/keep_last",
        ),
        (
            "redact",
            json!({"mask": [{"pointer": "/data/id", "replacement": "x".repeat(65)}]}),
            "/mask/0/replacement",
        ),
        ("redact", json!({"mask": vec![json!({"pointer": "/data/id"}); 65]}), "/mask"),
    ] {
        let (field, detail) = named(&make(&tenant, json!({"plugin": plugin, "plugin_config": config})).await);
        assert_eq!(field, format!("/plugin_config{pointer}"), "{config}: {detail}");
    }
    for (plugin, config) in [
        ("filter", json!({"deliver_if": deepest})),
        ("redact", json!({"mask": vec![json!({"pointer": "/data/*/é~0~1"}); 64]})),
    ] {
        make(&tenant, json!({"plugin": plugin, "plugin_config": config})).await.expect(201);
    }
}
