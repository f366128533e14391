//! Keys that are limited to inboxes.

use serde_json::{Value, json};

use super::{key, routes_of_integration};
use crate::parts::components::FLATTEN;
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_some_inboxes_sees_these_alone() {
    let host = Host::start();
    let receiver = Receiver::answering(|_| Reply::Status(500)).await;
    let admin = host.organization("contractfit1").await;
    let open = admin.integration(&receiver.url("/open"), json!({"retry": {"delays_ms": []}})).await;
    let (_, limited) = key(&host, "contractfit1", "admin", json!({"inboxes": ["i1", "i2"]})).await;
    let event = |inbox: &str| format!(r#"{{"event":"document_text","inbox":"{inbox}","data":{{"id":"d"}}}}"#);
    let mut seen = Vec::new();
    for body in [
        event("i1"),
        event("i3"),
        r#"{"event":"document_text","data":{"id":"d"}}"#.to_owned(),
    ] {
        let id = admin.event(body).await;
        seen.push(admin.settled(&id).await);
    }
    for (view, status) in seen.iter().zip([200, 404, 404]) {
        for path in [
            format!("/events/{}", text(view, "/id")),
            format!("/runs/{}", text(view, "/runs/0/id")),
            format!("/deliveries/{}", text(view, "/runs/0/deliveries/0/id")),
            format!("/deliveries/{}/attempts", text(view, "/runs/0/deliveries/0/id")),
        ] {
            assert_eq!(limited.get(&path).await.status, status, "{path}");
        }
    }
    // Its own events, too, tell of integrations that are for all inboxes.
    let export = format!("/runs/{}/export", text(&seen[0], "/runs/0/id"));
    problem(&limited.get(&export).await, 403, "-");
    admin.get(&export).await.expect(200);
    for view in &seen[1..] {
        problem(
            &limited
                .call("POST", &format!("/runs/{}/resume", text(view, "/runs/0/id")), "")
                .await,
            404,
            "-",
        );
        problem(
            &limited
                .call("POST", &format!("/deliveries/{}/retry", text(view, "/runs/0/deliveries/0/id")), "")
                .await,
            404,
            "-",
        );
    }
    for list in ["/runs", "/deliveries", "/runs?limit=1"] {
        let found = limited.get(list).await.expect(200);
        let events: Vec<&Value> = found["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| &item["event"])
            .collect();
        assert_eq!(events, [&seen[0]["id"]], "{list}: {found}");
    }
    for state in ["exhausted", "delivered"] {
        let found = limited.get(&format!("/deliveries?state={state}")).await.expect(200);
        assert_eq!(found["items"].as_array().map(Vec::len), Some(usize::from(state == "exhausted")));
    }

    // Posting.
    limited.event(event("i2")).await;
    problem(&limited.call("POST", "/events", event("i3")).await, 403, "/inbox");
    problem(
        &limited
            .call("POST", "/events", r#"{"event":"document_text","data":{"id":"d"}}"#)
            .await,
        403,
        "/inbox",
    );
    problem(
        &limited.call("POST", "/events", format!("[{},{}]", event("i1"), event("i3"))).await,
        403,
        "/1/inbox",
    );

    // Integrations.
    let draft = |inboxes: Value| json!({"type": "webhook", "events": ["document_text"], "target": receiver.url("/"), "inboxes": inboxes});
    for inboxes in [Value::Null, json!(["i3"]), json!(["i1", "i3"])] {
        problem(&limited.post("/integrations", &draft(inboxes)).await, 403, "/inboxes");
    }
    let own = limited.post("/integrations", &draft(json!(["i1"]))).await.expect(201);
    let path = format!("/integrations/{}", text(&own, "/id"));
    problem(&limited.patch(&path, &json!({"inboxes": null})).await, 403, "/inboxes");
    problem(&limited.patch(&path, &json!({"inboxes": ["i1", "i9"]})).await, 403, "/inboxes");
    limited.patch(&path, &json!({"inboxes": ["i2"]})).await.expect(200);
    let list = limited.get("/integrations").await.expect(200);
    assert_eq!(
        list["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| &item["id"])
            .collect::<Vec<_>>(),
        [&own["id"]]
    );
    for (method, path) in routes_of_integration(&open) {
        problem(&limited.call(method, &path, "{}").await, 404, "-");
    }
    admin.get(&format!("/integrations/{open}")).await.expect(200);

    // Keys and plugins.
    for inboxes in [json!({}), json!({"inboxes": ["i3"]})] {
        let mut body = json!({"role": "read"});
        body.as_object_mut()
            .expect("an object")
            .extend(inboxes.as_object().expect("an object").clone());
        problem(&limited.post("/keys", &body).await, 403, "/inboxes");
    }
    limited.post("/keys", &json!({"role": "read", "inboxes": ["i1"]})).await.expect(201);
    let keys = limited.get("/keys").await.expect(200);
    assert!(
        keys["items"].as_array().expect("keys").iter().all(|key| key["inboxes"].is_array()),
        "{keys}"
    );
    problem(&limited.upload("name=a", FLATTEN).await, 403, "-");
}
