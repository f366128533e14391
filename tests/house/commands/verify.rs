//! `hookmill verify`: past deliveries are made again by a real host, and compared with what its receivers got.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::at_host;
use crate::parts::client::Client;
use crate::parts::components::{probe, wat};
use crate::parts::host::{Host, Options, text};
use crate::parts::receiver::{Gate, Receiver, Reply};

/// What is said of a delivery, with that exit code.
async fn verdict(client: &Client, delivery: &str, code: i32) -> Value {
    let said = at_host(client, ["verify", delivery, "--json"]).await;
    said.expect(code);
    let [verified] = said.json().try_into().expect("one object");
    verified
}

/// The deliveries of an event, once nothing of it is open.
async fn deliveries(client: &Client, event: &str) -> Vec<String> {
    let event = client.settled(event).await;
    let runs = event["runs"].as_array().expect("a list").iter();
    let deliveries = runs.flat_map(|run| run["deliveries"].as_array().expect("a list"));
    deliveries.map(|delivery| text(delivery, "/id").to_owned()).collect()
}

/// The one delivery of an event.
async fn delivery(client: &Client, event: &str) -> String {
    let [delivery] = deliveries(client, event).await.try_into().expect("one");
    delivery
}

/// Stops a host, changes a row of its database behind its back, and starts it again.
fn tampered(host: &mut Host, sql: &str) {
    assert!(host.terminate().success());
    let database = Connection::open(host.folder().join("hookmill.db")).expect("it opens");
    assert!(database.execute(sql, []).expect("it is changed") > 0);
    drop(database);
    host.start_again();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_made_again_whatever_has_changed_since() {
    let mut host = Host::start();
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    tenant.plugin("label", wat("label", "one")).await;
    let mut made = Vec::new();
    for (plugin, config) in [
        ("passthrough", Value::Null),
        ("label", Value::Null),
        ("probe", json!({"do": "echo"})),
        ("probe", json!({"do": "chance"})),
        (
            "probe",
            json!({"do": "deliver", "requests": [
                {"text": "a", "target": "other", "method": "put", "path": "/below", "query": [["k", "v"]], "headers": [["x-own", "1"]]},
                {"bytes": [0, 255], "content_type": "image/png"},
            ]}),
        ),
        // Its first generation is parked; the one that follows has another seed.
        ("probe", json!({"do": "reject", "reason": "not yet"})),
    ] {
        let more = json!({"plugin": plugin, "plugin_config": config, "targets": {"other": {"target": receiver.url("/other")}}});
        made.push(tenant.integration(&receiver.url("/hook"), more).await);
    }
    let event = tenant
        .event(r#"{"event": "document_text", "inbox": "i", "data": {"n": 1.10, "id": "d"}}"#)
        .await;
    let parked = tenant.event_when(&event, |event| event.to_string().contains("parked")).await;
    let run = parked["runs"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|run| run["state"] == "parked");
    let run = text(run.expect("one"), "/id").to_owned();
    let [.., last] = &made[..] else { panic!("six were made") };
    tenant
        .patch(&format!("/integrations/{last}"), &json!({"plugin_config": {"do": "chance"}}))
        .await
        .expect(200);
    tenant.post(&format!("/runs/{run}/resume"), &Value::Null).await.expect(202);
    receiver.wait_for(7).await;
    let found = deliveries(&tenant, &event).await;
    assert_eq!(found.len(), 7);

    // Everything that may change without making another past.
    for integration in &made {
        let other = json!({"plugin": "label", "plugin_config": null, "target": "https://example.org/", "targets": null});
        tenant.patch(&format!("/integrations/{integration}"), &other).await.expect(200);
    }
    tenant.plugin("label", wat("label", "two")).await;
    tenant.delete(&format!("/integrations/{}", made[0])).await.expect(204);
    assert!(host.terminate().success());
    host.start_again();
    let tenant = tenant.with_host(&host);
    let before = tenant.get("/deliveries").await.expect(200);
    for delivery in &found {
        let verified = verdict(&tenant, delivery, 0).await;
        assert_eq!(
            (&verified["verdict"], &verified["id"]),
            (&json!("same"), &json!(delivery)),
            "{verified}"
        );
        assert_eq!((verified.get("reason"), verified.get("made_digest")), (None, None));
    }
    let said = at_host(&tenant, ["verify", &found[0]]).await;
    assert!(
        said.expect(0).starts_with(&format!("{} is made the same again\n", found[0])),
        "{}",
        said.out
    );
    assert_eq!(receiver.received().len(), 7, "nothing is sent");
    assert_eq!(tenant.get("/deliveries").await.expect(200), before, "nothing is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_differently_is_told() {
    let mut host = Host::start();
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    let condition = json!({"deliver_if": {"pointer": "/data/text", "equals": "some text"}});
    let mut found = Vec::new();
    for (document, more) in [("1", json!({})), ("2", json!({"plugin": "filter", "plugin_config": condition}))] {
        let integration = tenant.integration(&receiver.url("/"), more).await;
        found.push(delivery(&tenant, &tenant.text_event(document).await).await);
        tenant.delete(&format!("/integrations/{integration}")).await.expect(204);
    }
    tampered(
        &mut host,
        "UPDATE event SET data = CAST(replace(CAST(data AS TEXT), 'some', 'other') AS BLOB)",
    );
    let tenant = tenant.with_host(&host);
    let verified = verdict(&tenant, &found[0], 1).await;
    assert_eq!(verified["verdict"], "different");
    assert_ne!(text(&verified, "/made_digest"), text(&verified, "/request_digest"));
    let verified = verdict(&tenant, &found[1], 1).await;
    assert!(text(&verified, "/reason").contains("skips the event now: "), "{verified}");
    let said = at_host(&tenant, ["verify", &found[1]]).await;
    assert!(
        said.expect(1).contains("is made differently\n  the plugin skips the event now"),
        "{}",
        said.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_known_any_more_is_no_difference() {
    let mut host = Host::start();
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("mine", wat("label", "one")).await;
    tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
    let event = tenant.text_event("d").await;
    let delivery = delivery(&tenant, &event).await;
    tenant.plugin("mine", wat("label", "two")).await;
    tenant.delete("/plugins/mine/versions/1").await.expect(204);
    // It is loaded still, and its compiled form is there.
    let verified = verdict(&tenant, &delivery, 2).await;
    assert_eq!(
        (text(&verified, "/verdict"), text(&verified, "/code")),
        ("unknown", "version_deleted")
    );
    assert!(text(&verified, "/reason").contains("version 1 of the plugin mine"), "{verified}");
    let said = at_host(&tenant, ["verify", &delivery]).await;
    assert!(said.expect(2).contains("can not be verified: version_deleted"), "{}", said.out);
    // A version is its bytes: by whatever name they come back, it can be known again.
    tenant.plugin("other", wat("label", "one")).await;
    assert_eq!(verdict(&tenant, &delivery, 0).await["verdict"], "same");

    tampered(&mut host, "UPDATE event SET payload = 1, data = NULL");
    let tenant = tenant.with_host(&host);
    assert_eq!(verdict(&tenant, &delivery, 2).await["code"], "payload_gone");

    // Whoever can not be asked says nothing of the bytes either.
    for (client, delivery, says) in [
        (&tenant, "dlv_01ksr49200ew3re1r70w3ge1r7", "404"),
        (&tenant.with_key("no-key-of-this-host"), &*delivery, "401"),
        (&tenant, "run_01ksr49200ew3re1r70w3ge1r7", "dlv_"),
    ] {
        let said = at_host(client, ["verify", delivery, "--json"]).await;
        assert_eq!(said.expect(2), "");
        assert!(said.err.contains(says), "{says}: {}", said.err);
    }
}

/// A version that was deleted is unknown to its organization alike, whether others have its bytes or not: else whoever guesses bytes learned
/// who has them.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_tells_nothing_of_a_deleted_version() {
    let host = Host::start();
    let receiver = Receiver::start().await;
    let (tenant, other) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    tenant.plugin("mine", wat("label", "one")).await;
    tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
    let delivery = delivery(&tenant, &tenant.text_event("d").await).await;
    other.plugin("theirs", wat("label", "one")).await;
    assert_eq!(verdict(&tenant, &delivery, 0).await["verdict"], "same");
    tenant.plugin("mine", wat("label", "two")).await;
    tenant.delete("/plugins/mine/versions/1").await.expect(204);
    assert_eq!(verdict(&tenant, &delivery, 2).await["code"], "version_deleted");
    // What the host has, all may know.
    host.operator.plugin("everybodys", wat("label", "one")).await;
    assert_eq!(verdict(&tenant, &delivery, 0).await["verdict"], "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_recorded_has_nothing_to_be_compared_with() {
    let host = Host::start();
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::answering(move |got| match got.path.as_str() {
        "/held" => Reply::Gated(held.clone(), 200),
        _ => Reply::Status(200),
    })
    .await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let config = json!({"do": "deliver", "requests": [{"text": "a"}, {"text": "b", "target": "held"}]});
    let more = json!({"plugin": "probe", "plugin_config": config, "targets": {"held": {"target": receiver.url("/held")}}});
    tenant.integration(&receiver.url("/"), more).await;
    let event = tenant.text_event("d").await;
    let event = tenant
        .event_when(&event, |event| {
            event.pointer("/runs/0/deliveries/0/state") == Some(&json!("delivered"))
        })
        .await;
    let pending = text(&event, "/runs/0/deliveries/1/id");
    assert_eq!(verdict(&tenant, pending, 2).await["code"], "not_recorded");
    gate.open();
    tenant.settled(text(&event, "/id")).await;
    assert_eq!(verdict(&tenant, pending, 0).await["verdict"], "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_allows_less_now_says_nothing_of_the_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut host = Host::open(folder.path(), Options::default());
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let config = json!({"do": "output", "requests": 1, "body_bytes": 100_000});
    tenant
        .integration(&receiver.url("/"), json!({"plugin": "probe", "plugin_config": config}))
        .await;
    let delivery = delivery(&tenant, &tenant.text_event("d").await).await;
    assert!(host.terminate().success());
    let host = Host::open(folder.path(), Options::default().with("LIMITS__PLUGIN__OUTPUT_BYTES_MAX", "50000"));
    let verified = verdict(&tenant.with_host(&host), &delivery, 2).await;
    assert_eq!(verified["code"], "output_limit", "{verified}");
}
