//! Signatures, as a receiver verifies them with the published library of the Standard Webhooks specification.

use serde_json::json;
use standardwebhooks::Webhook;

use crate::parts::client::Client;
use crate::parts::host::{Host, text};
use crate::parts::receiver::{Received, Receiver, Reply};

async fn webhook(client: &Client, integration: &str) -> Webhook {
    let secret = client.get(&format!("/integrations/{integration}/secret")).await.expect(200);
    Webhook::new(text(&secret, "/secret")).expect("a secret by the specification")
}

fn verifies(webhook: &Webhook, got: &Received) -> bool {
    webhook.verify(&got.body, &got.headers).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_verify_with_their_integrations_secret_alone() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let other = host.organization("contractfit2").await;
    let receiver = Receiver::start().await;
    let mut webhooks = Vec::new();
    for (client, path) in [(&tenant, "/a"), (&tenant, "/b"), (&tenant, "/c"), (&other, "/d")] {
        let kinds = json!({"events": ["document_text", "document_predict", "document_delete"]});
        let id = client.integration(&receiver.url(path), kinds).await;
        webhooks.push((path, webhook(client, &id).await));
    }
    let bodies = [
        r#"{"event":"document_text","data":{"id":"d", "text":"\u00e9é😀"}}"#,
        r#"{"event":"document_delete","inbox":"i","project":"p","data":{"id":"d"}}"#,
        include_str!("../samples/document_predict.json"),
    ];
    for body in bodies {
        tenant.event(body).await;
        other.event(body).await;
    }
    let received = receiver.wait_for(bodies.len() * webhooks.len()).await;
    for got in &received {
        let matching: Vec<&str> = webhooks
            .iter()
            .filter(|(_, webhook)| verifies(webhook, got))
            .map(|(path, _)| *path)
            .collect();
        assert_eq!(matching, [got.path.as_str()], "each has a secret of its own");
        assert_eq!(got.headers.get_all("webhook-signature").iter().count(), 1);
        assert!(got.header("webhook-signature").starts_with("v1,"));
        assert!(got.id().starts_with("dlv_"));
        // Whatever is changed on the way does not verify.
        let webhook = &webhooks.iter().find(|(path, _)| *path == got.path).expect("it is one of them").1;
        let mut changed = got.clone();
        changed.body = [&got.body[..], b" "].concat().into();
        assert!(!verifies(webhook, &changed));
        for (name, value) in [
            ("webhook-id", format!("{}0", got.id())),
            ("webhook-timestamp", (timestamp(got) - 1).to_string()),
        ] {
            let mut changed = got.clone();
            changed.headers.insert(name, value.parse().expect("a header's value"));
            assert!(!verifies(webhook, &changed), "{name} is signed");
        }
    }
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs() as i64;
    assert!(
        received.iter().all(|got| (now - 60..=now + 1).contains(&timestamp(got))),
        "timestamps are the wall clock's, in seconds"
    );

    // The secret outlives a restart and a change of everything else.
    host.kill();
    host.start_again();
    let tenant = Client {
        address: host.operator.address,
        ..tenant
    };
    let ids = tenant.get("/integrations").await.expect(200);
    let first = text(&ids, "/items/0/id").to_owned();
    tenant
        .patch(
            &format!("/integrations/{first}"),
            &json!({"target": receiver.url("/moved"), "headers": {"X": "y"}}),
        )
        .await
        .expect(200);
    let before = receiver.received().len();
    tenant.event(bodies[0]).await;
    let received = receiver.wait_for(before + 3).await.split_off(before);
    let moved = received.iter().find(|got| got.path == "/moved").expect("it goes to the new target");
    assert!(verifies(&webhooks[0].1, moved));
}

fn timestamp(got: &Received) -> i64 {
    got.header("webhook-timestamp").parse().expect("seconds")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_is_signed_anew() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::answering(|got| Reply::Status(if got.number < 2 { 503 } else { 200 })).await;
    // More than a second, so that no two attempts are of the same one.
    let id = tenant
        .integration(&receiver.url("/"), json!({"retry": {"delays_ms": [1_001, 1_001]}}))
        .await;
    let webhook = webhook(&tenant, &id).await;
    let event = tenant.text_event("d").await;
    let received = receiver.wait_for(3).await;
    for got in &received {
        assert!(verifies(&webhook, got), "{got:?}");
        assert_eq!((got.id(), &got.body), (received[0].id(), &received[0].body));
    }
    assert!(
        received.is_sorted_by(|earlier, later| timestamp(earlier) < timestamp(later)),
        "{received:?}"
    );
    let mut mixed = received[2].clone();
    mixed
        .headers
        .insert("webhook-signature", received[0].headers["webhook-signature"].clone());
    assert!(!verifies(&webhook, &mixed), "an attempt's signature is its own");
    let view = tenant.settled(&event).await;
    assert_eq!(view["runs"][0]["deliveries"][0]["attempts"], 3);
}
