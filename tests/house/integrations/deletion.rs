//! What a deletion cancels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hookmill_domain::state::EventState;
use serde_json::{Value, json};

use crate::parts::client::Client;
use crate::parts::clock::HandClock;
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::{Gate, Receiver, Reply};
use crate::parts::river::{close, draft, limits, open, organization, post, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_cancels_what_waits() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let gate = Gate::closed();
    let failing = Arc::new(AtomicBool::new(true));
    let receiver = {
        let (gate, failing) = (gate.clone(), failing.clone());
        Receiver::answering(move |got| match got.path.as_str() {
            "/slow" => Reply::Gated(gate.clone(), 200),
            "/failing" if failing.load(Ordering::Relaxed) => Reply::Status(503),
            _ => Reply::Status(200),
        })
        .await
    };
    let held = tenant.integration(&receiver.url("/held"), json!({"paused": true})).await;
    let waiting = tenant
        .integration(&receiver.url("/failing"), json!({"retry": {"delays_ms": [3_600_000]}}))
        .await;
    let slow = tenant.integration(&receiver.url("/slow"), json!({})).await;
    let kept = tenant.integration(&receiver.url("/kept"), json!({})).await;
    let mut events = Vec::new();
    for number in 0..5 {
        events.push(tenant.text_event(&number.to_string()).await);
    }
    receiver.wait_for(15).await;
    let run = |event: &Value, integration: &str| {
        let runs = event["runs"].as_array().expect("runs").iter();
        runs.clone()
            .find(|run| run["integration"] == *integration)
            .expect("it is matched")
            .clone()
    };
    for event in &events {
        tenant
            .event_when(event, |event| run(event, &waiting)["deliveries"][0]["state"] == "waiting")
            .await;
    }
    for id in [&held, &waiting, &slow] {
        tenant.delete(&format!("/integrations/{id}")).await.expect(204);
    }
    // The deletion holds from its answer on: nothing more is begun.
    failing.store(false, Ordering::Relaxed);
    let after = tenant.text_event("after").await;
    let view = tenant.settled(&after).await;
    assert_eq!(view["runs"].as_array().map(Vec::len), Some(1), "it is matched no more: {view}");
    for event in &events {
        let view = tenant.get(&format!("/events/{event}")).await.expect(200);
        assert_eq!(run(&view, &held)["state"], "cancelled", "{view}");
        assert_eq!(run(&view, &waiting)["deliveries"][0]["state"], "cancelled", "{view}");
        assert_eq!(run(&view, &kept)["deliveries"][0]["state"], "delivered", "{view}");
    }
    // What was in flight ends as it ends.
    gate.open();
    for event in &events {
        tenant
            .event_when(event, |event| run(event, &slow)["deliveries"][0]["state"] == "delivered")
            .await;
    }
    let cancelled = tenant.get("/runs?state=cancelled").await.expect(200);
    assert_eq!(cancelled["items"].as_array().map(Vec::len), Some(5), "{cancelled}");
    let cancelled = tenant.get("/deliveries?state=cancelled").await.expect(200);
    assert_eq!(cancelled["items"].as_array().map(Vec::len), Some(5), "{cancelled}");
    let one = text(&cancelled, "/items/0/id");
    problem(&tenant.call("POST", &format!("/deliveries/{one}/retry"), "").await, 409, "-");

    // And so it is after a restart.
    host.kill();
    host.start_again();
    let tenant = Client {
        address: host.operator.address,
        ..tenant
    };
    let last = tenant.text_event("last").await;
    tenant.settled(&last).await;
    for event in &events {
        let view = tenant.get(&format!("/events/{event}")).await.expect(200);
        assert_eq!(
            (&view["state"], &run(&view, &held)["state"]),
            (&json!("settled"), &json!("cancelled")),
            "{view}"
        );
    }
    let received = receiver.received();
    let count = |path: &str| received.iter().filter(|got| got.path == path).count();
    assert_eq!(["/held", "/failing", "/slow", "/kept"].map(count), [0, 5, 5, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_due_is_not_sent_after_the_deletion() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = HandClock::at(1_790_000_000_000);
    let river = open(folder.path(), &clock, limits()).await;
    let receiver = Receiver::answering(|got| Reply::Status(if got.path == "/failing" { 500 } else { 200 })).await;
    let organization = organization(&river, "contractfit1").await;
    let made = river
        .create_integration(organization, draft(&["document_text"], &receiver.url("/failing")))
        .await
        .expect("made");
    let body = r#"{"event":"document_text","data":{"id":"d"}}"#;
    let event = post(&river, organization, body).await;
    wait_until(&river, folder.path(), event, |view| {
        view.runs[0].deliveries.iter().any(|delivery| delivery.due_at.is_some())
    })
    .await;
    river.delete_integration(organization, made.id).await.expect("deleted");
    river
        .create_integration(organization, draft(&["document_text"], &receiver.url("/other")))
        .await
        .expect("made");
    clock.turn_by_ms(2_000);
    let event = post(&river, organization, body).await;
    wait_until(&river, folder.path(), event, |view| view.state == EventState::Settled).await;
    let paths: Vec<String> = receiver.received().into_iter().map(|got| got.path).collect();
    assert_eq!(paths, ["/failing", "/other"]);
    close(river).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_after_the_deletion_is_cancelled() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    // The receiver goes away while the attempt is under way.
    let receiver = Receiver::answering(|_| Reply::Hang).await;
    let id = tenant
        .integration(&receiver.url("/"), json!({"retry": {"delays_ms": [0, 0, 0]}}))
        .await;
    let event = tenant.text_event("d").await;
    receiver.wait_for(1).await;
    tenant.delete(&format!("/integrations/{id}")).await.expect(204);
    let view = tenant.get(&format!("/events/{event}")).await.expect(200);
    assert_ne!(view["state"], "unmatched", "{view}");
    drop(receiver);
    let view = tenant.settled(&event).await;
    let is_cancelled = view["runs"][0]["state"] == "cancelled" || view["runs"][0]["deliveries"][0]["state"] == "cancelled";
    assert!(is_cancelled, "{view}");
}
