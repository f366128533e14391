//! Which integrations get an event: by kind and scope, paused and disabled.

use serde_json::{Value, json};

use super::{KINDS, body, payload};
use crate::parts::host::Host;
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn integrations_get_what_is_in_their_scope() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    for (path, mut more) in [
        ("/all", json!({})),
        ("/i1", json!({"inboxes": ["i1"]})),
        ("/i1i2", json!({"inboxes": ["i1", "i2"]})),
        ("/p1", json!({"projects": ["p1"]})),
        ("/i1p1", json!({"inboxes": ["i1"], "projects": ["p1"]})),
    ] {
        more["events"] = json!(["document_text", "document_delete"]);
        tenant.integration(&receiver.url(path), more).await;
    }
    tenant
        .integration(&receiver.url("/split"), json!({"events": ["document_split"]}))
        .await;
    let other = host.organization("contractfit2").await;
    other.integration(&receiver.url("/other"), json!({"events": KINDS})).await;

    for (kind, inbox, project, expected) in [
        ("document_text", None, None, vec!["/all"]),
        ("document_delete", Some("i1"), None, vec!["/all", "/i1", "/i1i2"]),
        ("document_text", Some("i2"), None, vec!["/all", "/i1i2"]),
        ("document_text", Some("I1"), Some("p"), vec!["/all"]),
        ("document_text", None, Some("p1"), vec!["/all", "/p1"]),
        (
            "document_text",
            Some("i1"),
            Some("p1"),
            vec!["/all", "/i1", "/i1i2", "/i1p1", "/p1"],
        ),
        ("document_text", Some("p1"), Some("i1"), vec!["/all"]),
        ("document_split", Some("i1"), Some("p1"), vec!["/split"]),
        ("document_reject", Some("i1"), Some("p1"), vec![]),
    ] {
        let before = receiver.received().len();
        let posted = json!({"event": kind, "inbox": inbox, "project": project, "data": {"id": "d"}});
        let event = tenant.event(posted.to_string()).await;
        let view = tenant.settled(&event).await;
        assert_eq!(view["state"], if expected.is_empty() { "unmatched" } else { "settled" });
        let received = receiver.received().split_off(before);
        let mut paths: Vec<&str> = received.iter().map(|got| got.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, expected, "{posted}");
        for got in &received {
            assert_eq!(body(got), payload(kind, inbox, project, r#"{"id":"d"}"#));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_is_matched_and_held_and_disabled_is_not_matched() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (receiver, beside) = (Receiver::start().await, Receiver::start().await);
    let event = r#"{"event":"document_text","data":{"id":"d"}}"#;

    let unwanted = tenant.event(event).await;
    let id = tenant.integration(&receiver.url("/"), json!({"paused": true})).await;
    let view = tenant.get(&format!("/events/{unwanted}")).await.expect(200);
    assert_eq!(
        (&view["state"], &view["runs"]),
        (&json!("unmatched"), &json!([])),
        "who comes later gets later events"
    );

    tenant.integration(&beside.url("/"), json!({})).await;
    let path = format!("/integrations/{id}");
    let run = |event: &Value| {
        let mut runs = event["runs"].as_array().expect("runs").iter();
        runs.find(|run| run["integration"] == *id).expect("it is matched").clone()
    };
    let held = tenant.event(event).await;
    beside.wait_for(1).await;
    let view = tenant.get(&format!("/events/{held}")).await.expect(200);
    assert_eq!(
        (&view["state"], &run(&view)["held"]),
        (&json!("pending"), &json!("paused")),
        "{view}"
    );
    assert_eq!(run(&view)["deliveries"], json!([]));
    tenant.patch(&path, &json!({"paused": false, "enabled": false})).await.expect(200);
    let view = tenant.get(&format!("/events/{held}")).await.expect(200);
    assert_eq!(
        (&view["state"], &run(&view)["held"]),
        (&json!("pending"), &json!("disabled")),
        "what is owed is held on"
    );

    let ignored = tenant.event(event).await;
    beside.wait_for(2).await;
    let view = tenant.settled(&ignored).await;
    assert_eq!(
        view["runs"].as_array().map(Vec::len),
        Some(1),
        "a disabled one is not matched: {view}"
    );
    assert!(receiver.received().is_empty());

    tenant.patch(&path, &json!({"enabled": true})).await.expect(200);
    receiver.wait_for(1).await;
    let view = tenant.settled(&held).await;
    assert_eq!(run(&view)["deliveries"][0]["state"], "delivered");
    let last = tenant.event(event).await;
    tenant.settled(&last).await;
    assert_eq!(receiver.received().len(), 2, "what was not matched is not made up for");
    assert_eq!(
        tenant.get(&format!("/events/{ignored}")).await.expect(200)["runs"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}
