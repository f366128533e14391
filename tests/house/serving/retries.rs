//! Attempts, and retries that somebody asks for.

use bytes::Bytes;
use serde_json::json;

use crate::parts::calls::one;
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_delivery_is_retried_when_somebody_asks() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::answering(|got| match got.number {
        0 => Reply::Full(500, Vec::new(), "not today".into()),
        1 => Reply::Full(200, Vec::new(), Bytes::from_static(b"\xff\x00")),
        _ => Reply::Status(200),
    })
    .await;
    let id = tenant.integration(&receiver.url("/"), json!({"retry": {"delays_ms": []}})).await;
    let event = tenant.text_event("d").await;
    let view = tenant.settled(&event).await;
    let delivery = one(&view["runs"][0]["deliveries"], |_| true);
    assert_eq!(
        (&delivery["state"], &delivery["attempts"], &delivery["status"]),
        (&json!("exhausted"), &json!(1), &json!(500))
    );
    let path = format!("/deliveries/{}", text(delivery, "/id"));
    let attempts = tenant.get(&format!("{path}/attempts")).await.expect(200);
    let attempt = one(&attempts["items"], |_| true);
    assert_eq!(
        (&attempt["number"], &attempt["status"], &attempt["code"], &attempt["response"]),
        (&json!(1), &json!(500), &json!("status"), &json!("not today")),
        "{attempt}"
    );
    assert_eq!(
        tenant.call("POST", &format!("{path}/retry"), "").await.expect(202),
        json!({"id": delivery["id"]})
    );
    let view = tenant.when(&path, |delivery| delivery["state"] == "delivered").await;
    assert_eq!(
        (&view["attempts"], &view["status"], &view["id"]),
        (&json!(2), &json!(200), &delivery["id"])
    );
    let received = receiver.wait_for(2).await;
    assert_eq!((received[1].id(), &received[1].body), (received[0].id(), &received[0].body));
    let attempts = tenant.get(&format!("{path}/attempts/")).await.expect(200);
    let second = one(&attempts["items"], |attempt| attempt["number"] == 2);
    assert_eq!((&second["status"], second.get("code")), (&json!(200), None), "{attempts}");
    assert_eq!(
        (&second["response"], &second["response_encoding"]),
        (&json!("/wA="), &json!("base64"))
    );
    let page = tenant.get(&format!("{path}/attempts?limit=1")).await.expect(200);
    assert_eq!(one(&page["items"], |_| true)["number"], 1);
    let rest = format!("{path}/attempts?limit=1&cursor={}", text(&page, "/next_cursor"));
    let page = tenant.get(&rest).await.expect(200);
    assert_eq!((one(&page["items"], |_| true), &page["next_cursor"]), (second, &json!(null)));
    problem(&tenant.get(&format!("{path}/attempts?limit=0")).await, 400, "?limit");
    problem(&tenant.call("POST", &format!("{path}/retry"), "").await, 409, "-");
    // One that was taken at once tells its one attempt, too.
    let view = tenant.settled(&tenant.text_event("e").await).await;
    let path = format!("/deliveries/{}/attempts", text(&view, "/runs/0/deliveries/0/id"));
    let attempts = tenant.get(&path).await.expect(200);
    assert_eq!(one(&attempts["items"], |_| true)["status"], 200);

    // One that waits is due now, and its schedule begins anew.
    let retry = json!({"target": format!("http://{}/", closed_port().await), "retry": {"delays_ms": [3_600_000]}});
    tenant.patch(&format!("/integrations/{id}"), &retry).await.expect(200);
    let event = tenant.text_event("f").await;
    let view = tenant
        .event_when(&event, |event| event["runs"][0]["deliveries"][0]["state"] == "waiting")
        .await;
    let path = format!("/deliveries/{}", text(&view, "/runs/0/deliveries/0/id"));
    let waiting = tenant.get(&path).await.expect(200);
    assert!(waiting["next_attempt_at"].is_string() && waiting["status"].is_null(), "{waiting}");
    let attempts = tenant.get(&format!("{path}/attempts")).await.expect(200);
    assert_eq!(one(&attempts["items"], |_| true)["code"], "connect", "{attempts}");
    tenant
        .patch(&format!("/integrations/{id}"), &json!({"target": receiver.url("/")}))
        .await
        .expect(200);
    tenant.call("POST", &format!("{path}/retry"), "").await.expect(202);
    let view = tenant.when(&path, |delivery| delivery["state"] == "delivered").await;
    assert_eq!(view["attempts"], 2);
}

/// An address of loopback where nobody listens.
async fn closed_port() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("an address")
}
