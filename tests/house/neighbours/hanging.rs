//! Receivers that hang.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{OWED, TIMEOUT_MS, batch, gated, ids, two_targets};
use crate::parts::calls::one;
use crate::parts::client::Client;
use crate::parts::host::{Host, text};
use crate::parts::receiver::Receiver;

/// Attempts at once to a target that has not answered yet.
const UNKNOWN: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn one_of_four_that_hangs_delays_none_of_the_others() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (hanging, gate) = gated().await;
    let well = Receiver::start().await;
    let slow = tenant.integration(&hanging.url("/"), json!({"timeout_ms": TIMEOUT_MS})).await;
    for path in ["/1", "/2", "/3"] {
        tenant.integration(&well.url(path), json!({})).await;
    }
    let mut events = Vec::new();
    for number in 0..100 {
        events.push(tenant.text_event(&number.to_string()).await);
    }
    let received = well.wait_for(300).await;
    assert_eq!(ids(&received).len(), 300);
    hanging.wait_for(1).await;
    let is_delivered = |run: &&Value| run["deliveries"][0]["state"] == "delivered";
    let three = |event: &Value| {
        event["runs"]
            .as_array()
            .is_some_and(|runs| runs.iter().filter(is_delivered).count() == 3)
    };
    let waits = tenant.event_when(&events[0], three).await;
    let open = one(&waits["runs"], |run| !is_delivered(&run));
    assert_eq!((&waits["state"], &open["integration"]), (&json!("pending"), &json!(slow)));
    gate.open();
    for event in &events {
        tenant.settled(event).await;
    }
    assert_eq!((ids(&hanging.wait_for(100).await).len(), hanging.received().len()), (100, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_target_holds_up_its_own_deliveries_alone() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (other, gate) = gated().await;
    let default = Receiver::start().await;
    let integration = two_targets(&tenant, &default, &other).await;
    tenant.call("POST", "/events", batch(0..OWED)).await.expect(202);
    assert_eq!(ids(&default.wait_for(OWED).await).len(), OWED);
    // The hanging one has as many as one gets that has not answered yet.
    let held = other.wait_for(UNKNOWN).await;
    assert_eq!((held.len(), ids(&held).len()), (UNKNOWN, UNKNOWN));
    // Some have gone to disk.
    let is_on_disk = |open: &Value| {
        open["items"]
            .as_array()
            .is_some_and(|items| items.iter().any(|item| item["recorded_at"].is_string()))
    };
    tenant
        .when(
            &format!("/deliveries?state=pending&integration={integration}&limit=100"),
            is_on_disk,
        )
        .await;

    // What hung comes back, and so does all that was held for it; each is sent once.
    gate.open();
    let received = other.wait_for(OWED).await;
    assert_eq!(ids(&received).len(), OWED);
    for state in ["pending", "waiting"] {
        let path = format!("/deliveries?state={state}&integration={integration}");
        tenant.when(&path, |open| open["items"] == json!([])).await;
    }
    assert_eq!(
        (default.received().len(), other.received().len()),
        (OWED, OWED),
        "nothing was sent twice"
    );

    // And it is an ordinary target again.
    let event = tenant.text_event("after").await;
    tenant.settled(&event).await;
    assert_eq!((default.received().len(), other.received().len()), (OWED + 1, OWED + 1));
}

/// The same with flatten, whose events go to one target or to the other: those that do not hang are found behind those that do.
#[tokio::test(flavor = "multi_thread")]
async fn sure_documents_pass_by_those_that_wait_for_a_hanging_desk() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (desk, gate) = gated().await;
    let erp = Receiver::start().await;
    let body = json!({
        "type": "webhook", "events": ["document_predict"], "target": erp.url("/erp"), "plugin": "flatten",
        "plugin_config": {"review_below": 60}, "timeout_ms": TIMEOUT_MS, "targets": {"review": {"target": desk.url("/desk")}},
    });
    tenant.post("/integrations", &body).await.expect(201);
    let event = |number: usize| {
        let confidence = if number.is_multiple_of(10) { 90 } else { 10 };
        let annotations = json!({"currency": [{"value": "EUR", "confidence": confidence}]});
        json!({"event": "document_predict", "data": {"id": number.to_string(), "prediction": {"annotations": annotations}}})
    };
    let events = Value::from((0..OWED).map(event).collect::<Vec<_>>());
    tenant.post("/events", &events).await.expect(202);
    erp.wait_for(OWED / 10).await;
    assert_eq!(desk.wait_for(UNKNOWN).await.len(), UNKNOWN);
    gate.open();
    assert_eq!(ids(&desk.wait_for(OWED * 9 / 10).await).len(), OWED * 9 / 10);
    assert_eq!(erp.received().len(), OWED / 10);
}

/// What was held on disk is found by the next process.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_for_a_hanging_target_survives_a_crash() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (other, gate) = gated().await;
    let default = Receiver::start().await;
    two_targets(&tenant, &default, &other).await;
    let accepted = tenant.call("POST", "/events", batch(0..OWED)).await.expect(202);
    default.wait_for(OWED).await;
    other.wait_for(UNKNOWN).await;
    host.kill();
    gate.open();
    host.start_again();
    let tenant = Client {
        address: host.operator.address,
        ..tenant
    };
    for event in accepted["items"].as_array().expect("a list") {
        tenant.settled(text(event, "/id")).await;
    }
    for receiver in [&default, &other] {
        let mut bodies = BTreeMap::new();
        for got in receiver.received() {
            let before = bodies.insert(got.id().to_owned(), got.body.clone());
            assert!(before.is_none_or(|before| before == got.body));
        }
        assert_eq!(bodies.len(), OWED, "each arrived, some perhaps twice, and none under two ids");
    }
}

/// An organization has 256 deliveries in flight, and each target 64: a few that hang do not take all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_dozen_that_hang_leave_room_for_one_that_answers() {
    const HANGING: usize = 12;
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (hanging, gate) = gated().await;
    let well = Receiver::start().await;
    for number in 0..HANGING {
        let more = json!({"timeout_ms": TIMEOUT_MS});
        tenant.integration(&hanging.url(&format!("/{number}")), more).await;
    }
    tenant.call("POST", "/events", batch(0..64)).await.expect(202);
    hanging.wait_for(HANGING * UNKNOWN).await;
    tenant.integration(&well.url("/"), json!({})).await;
    tenant.call("POST", "/events", batch(64..128)).await.expect(202);
    assert_eq!(ids(&well.wait_for(64).await).len(), 64);
    assert_eq!(hanging.received().len(), HANGING * UNKNOWN);
    gate.open();
    assert_eq!(ids(&hanging.wait_for(HANGING * 128).await).len(), HANGING * 128);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_that_hang_are_their_organizations_own() {
    let host = Host::start();
    let (first, second) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    let (hanging, gate) = gated().await;
    let well = Receiver::start().await;
    for number in 0..50 {
        first
            .integration(&hanging.url(&format!("/{number}")), json!({"timeout_ms": TIMEOUT_MS}))
            .await;
    }
    second.integration(&well.url("/"), json!({})).await;
    first.call("POST", "/events", batch(0..20)).await.expect(202);
    hanging.wait_for(256).await;
    for number in 0..50 {
        let event = second.text_event(&number.to_string()).await;
        well.wait_for(number + 1).await;
        second.settled(&event).await;
    }
    assert_eq!(hanging.received().len(), 256, "an organization has so many in flight");
    gate.open();
    assert_eq!(ids(&hanging.wait_for(1000).await).len(), 1000);
}
