//! In another process: the same folder gives the same ids and bytes, and other folders other ids alone.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{frozen, version};
use crate::parts::client::Client;
use crate::parts::components::{FLATTEN, PASSTHROUGH, first, probe, wasi, wat};
use crate::parts::host::{Host, Options, copy, text};
use crate::parts::receiver::Receiver;

/// All plugins that are here, each with what it is asked for.
async fn integrations(tenant: &Client, receiver: &Receiver) -> Vec<String> {
    for (name, component) in [
        ("copy", PASSTHROUGH.into()),
        ("flat", FLATTEN.into()),
        ("probe", probe()),
        ("wasi", wasi()),
        ("first", first()),
    ] {
        tenant.plugin(name, component).await;
    }
    for name in ["label", "passthrough"] {
        tenant.plugin(&format!("wat-{name}"), wat(name, "x")).await;
    }
    let events = ["document_predict", "document_evaluate", "document_text"];
    let mut made = Vec::new();
    for (plugin, config) in [
        (Value::Null, Value::Null),
        (json!("copy"), Value::Null),
        (json!("flatten"), json!({"review_below": 60})),
        (json!("flat"), Value::Null),
        (json!("probe"), json!({"do": "echo"})),
        (json!("probe"), json!({"do": "chance"})),
        (json!("probe"), version(1)),
        (json!("wasi"), json!({})),
        (json!("wat-label"), Value::Null),
        (json!("wat-passthrough"), Value::Null),
        (json!("filter"), json!({"deliver_if": {"pointer": "/data/id", "exists": true}})),
        (json!("redact"), json!({"mask": [{"pointer": "/data/id", "keep_last": 1}]})),
        (json!("first"), Value::Null),
    ] {
        // It knows no other.
        let events = if plugin == "first" { &events[..1] } else { &events[..] };
        let body = json!({
            "type": "webhook", "events": events, "target": receiver.url("/target"), "plugin": plugin, "plugin_config": config, "paused": true,
            "targets": {"other": {"target": receiver.url("/target")}, "review": {"target": receiver.url("/target")}},
        });
        made.push(text(&tenant.post("/integrations", &body).await.expect(201), "/id").to_owned());
    }
    made
}

/// A folder with events that are owed is copied twice: three processes make the same of them, each for itself.
#[tokio::test(flavor = "multi_thread")]
async fn every_process_makes_equal_ids_and_equal_bytes() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let [original, first, second] = ["original", "first", "second"].map(|name| folder.path().join(name));
    let mut host = Host::open(&original, Options::default());
    let tenant = host.organization("contractfit1").await;
    let made = integrations(&tenant, &receiver).await;
    let mut events = Vec::new();
    for sample in [
        include_str!("../../samples/document_predict.json"),
        include_str!("../../samples/document_predict_low_confidence.json"),
        include_str!("../../samples/document_evaluate.json"),
        r#"{"event": "document_text", "inbox": "5e6f", "project": "5e60", "data": {"id": "1", "n": 1.10, "n": 1e400, "u": "\u00e9"}}"#,
    ] {
        events.push(tenant.event(sample).await);
    }
    host.kill();
    copy(&original, &first);
    copy(&original, &second);

    // Of each event: twelve runs; the third probe has two requests, and the two that flatten skip the text. And one of the two predictions.
    let wanted = 4 * 13 - 2 + 2;
    let mut made_by = Vec::new();
    for place in [&original, &first, &second] {
        let seen = receiver.received().len();
        let host = Host::open(place, Options::default());
        let tenant = Client {
            address: host.operator.address,
            ..tenant.clone()
        };
        for integration in &made {
            tenant
                .patch(&format!("/integrations/{integration}"), &json!({"paused": false}))
                .await
                .expect(200);
        }
        let received = receiver.wait_for(seen + wanted).await[seen..].to_vec();
        let mut deliveries = BTreeMap::new();
        for event in &events {
            let settled = tenant.settled(event).await;
            for run in settled["runs"].as_array().expect("a list") {
                for delivery in run["deliveries"].as_array().expect("a list") {
                    deliveries.insert(text(delivery, "/id").to_owned(), delivery["request_digest"].clone());
                }
            }
        }
        assert_eq!(receiver.received().len(), seen + wanted, "each was sent once");
        made_by.push((frozen(&received), deliveries));
    }
    let (sent, digests) = &made_by[0];
    assert_eq!((sent.len(), digests.len()), (wanted, wanted));
    assert!(sent.keys().eq(digests.keys()));
    assert_eq!(made_by[1], made_by[0]);
    assert_eq!(made_by[2], made_by[0]);
}

/// As after an upgrade that compiles otherwise, or when the cache is lost or damaged: the components are compiled anew, and make the same.
#[tokio::test(flavor = "multi_thread")]
async fn compiled_code_that_is_gone_or_damaged_is_made_again() {
    let damages: [fn(&Path); 3] = [
        |artifact| std::fs::remove_file(artifact).expect("removed"),
        |artifact| std::fs::write(artifact, "short").expect("written"),
        |artifact| {
            let mut bytes = std::fs::read(artifact).expect("read");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(artifact, bytes).expect("written");
        },
    ];
    for damage in damages {
        let receiver = Receiver::start().await;
        let mut host = Host::start();
        let tenant = host.organization("contractfit1").await;
        tenant.plugin("label", wat("label", "one")).await;
        let integration = tenant
            .integration(&receiver.url("/"), json!({"plugin": "label", "paused": true}))
            .await;
        let event = tenant.text_event("5e7a").await;
        host.kill();
        let mut artifacts = 0;
        for entry in std::fs::read_dir(host.folder().join("artifacts")).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_of_an_artifact = |extension: &std::ffi::OsStr| extension == "cwasm" || extension == "sha256";
            if path.extension().is_some_and(is_of_an_artifact) {
                damage(&path);
                artifacts += 1;
            }
        }
        assert!(artifacts >= 3, "the built-in ones and the uploaded one: {artifacts}");
        host.start_again();
        let tenant = Client {
            address: host.operator.address,
            ..tenant
        };
        tenant
            .patch(&format!("/integrations/{integration}"), &json!({"paused": false}))
            .await
            .expect(200);
        let received = receiver.wait_for(1).await.remove(0);
        assert_eq!(received.body, format!(r#"{{"label": "one", "event": "{event}"}}"#));
        // The built-in one as well.
        tenant.integration(&receiver.url("/default"), json!({})).await;
        tenant.text_event("5e7b").await;
        receiver.wait_for(3).await;
    }
}

/// A body with the ids and times of its host taken out: what is left is the same on every host.
fn without_names(body: &str, event: &Value, integration: &str) -> String {
    let body = body.replace(text(event, "/id"), "EVENT").replace(integration, "INTEGRATION");
    body.replace(text(event, "/accepted_at"), "ACCEPTED")
}

/// Two hosts that know nothing of one another: other events, other integrations, and but for these the same bytes.
#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_differ_in_names_alone() {
    let body = r#"{"event": "document_text", "data": {"id": "1", "n": 1.10}}"#;
    let mut made_by = Vec::new();
    for _ in 0..2 {
        let (host, receiver) = (Host::start(), Receiver::start().await);
        let tenant = host.organization("contractfit1").await;
        tenant.plugin("probe", probe()).await;
        let mut bodies = Vec::new();
        for (plugin, config) in [
            ("passthrough", Value::Null),
            ("probe", json!({"do": "echo"})),
            ("probe", json!({"do": "chance"})),
        ] {
            let integration = tenant
                .integration(&receiver.url("/"), json!({"plugin": plugin, "plugin_config": config}))
                .await;
            let seen = receiver.received().len();
            let event = tenant.event(body).await;
            let event = tenant.settled(&event).await;
            let received = receiver.wait_for(seen + 1).await.pop().expect("one");
            bodies.push(without_names(
                std::str::from_utf8(&received.body).expect("text"),
                &event,
                &integration,
            ));
            tenant.delete(&format!("/integrations/{integration}")).await.expect(204);
        }
        made_by.push(bodies);
    }
    assert_eq!(made_by[0], made_by[1]);
    assert!(
        made_by[0][1].contains("EVENT") && made_by[0][1].contains("INTEGRATION") && made_by[0][1].contains("ACCEPTED"),
        "{:?}",
        made_by[0]
    );
}
