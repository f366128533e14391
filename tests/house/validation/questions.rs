//! What is wrong with a question: parameters, paths, methods, content types.

use serde_json::json;

use super::refused;
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_question_is_named() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    for number in 0..3 {
        tenant.integration(&receiver.url(&format!("/{number}")), json!({})).await;
    }
    let event = tenant.text_event("d").await;
    tenant.settled(&event).await;
    for list in ["/runs", "/deliveries", "/integrations", "/keys"] {
        for (query, place) in [
            ("limit=0", "?limit"),
            ("limit=201", "?limit"),
            ("limit=-1", "?limit"),
            ("limit=", "?limit"),
            ("limit=1.5", "?limit"),
            ("limit=1&limit=1", "?limit"),
            ("limit=99999999999999999999", "?limit"),
            ("cursor=", "?cursor"),
            ("cursor=nonsense", "?cursor"),
            ("cursor=%FF%00", "?cursor"),
            ("organization=a%20b", "?organization"),
            ("api_key=x", "?api_key"),
            ("%00=", "?\0"),
        ] {
            println!("{list}?{query}");
            problem(&tenant.get(&format!("{list}?{query}")).await, 400, place);
        }
        problem(&tenant.get(&format!("{list}?organization=nobody")).await, 404, "-");
        problem(&host.operator.get(&format!("{list}?organization=nobody")).await, 404, "-");
    }
    for list in ["/runs", "/deliveries"] {
        for query in [
            "state=Parked",
            "state=",
            "integration=x",
            "event=x",
            "event=int_01ksr49200ew3re1r70w3ge1r7",
            "integration=",
        ] {
            let place = format!("?{}", query.split('=').next().expect("a name"));
            problem(&tenant.get(&format!("{list}?{query}")).await, 400, &place);
        }
        problem(&host.operator.get(list).await, 422, "?organization");
    }
    problem(&tenant.get("/runs?state=delivered").await, 400, "?state");
    problem(&tenant.get("/deliveries?state=done").await, 400, "?state");
    problem(&tenant.get(&format!("/events/{event}?data=yes")).await, 400, "?data");
    problem(&tenant.get("/healthz/x").await, 404, "-");

    // A cursor of one list is none of another's.
    let page = |list: &'static str| {
        let tenant = tenant.clone();
        async move { text(&tenant.get(&format!("{list}?limit=1")).await.expect(200), "/next_cursor").to_owned() }
    };
    let (runs, integrations) = (page("/runs").await, page("/integrations").await);
    problem(&tenant.get(&format!("/integrations?cursor={runs}")).await, 400, "?cursor");
    problem(&tenant.get(&format!("/runs?cursor={integrations}")).await, 400, "?cursor");
    problem(&tenant.get(&format!("/keys?cursor={runs}")).await, 400, "?cursor");
    problem(&tenant.get(&format!("/runs?cursor={runs}A")).await, 400, "?cursor");

    // Methods, content types, and what there is not.
    for (method, path) in [
        ("PUT", "/integrations"),
        ("DELETE", "/runs"),
        ("GET", "/events"),
        ("DELETE", "/events"),
        ("POST", "/healthz"),
    ] {
        let answer = tenant.call(method, path, "").await;
        problem(&answer, 405, "-");
        assert!(answer.headers.contains_key("allow"), "{method} {path}");
    }
    for path in [
        "/",
        "/nothing",
        "/integrations/a/b/c",
        "/events/a/b",
        "//events",
        "/integrations/%FF",
        "/../etc/passwd",
    ] {
        problem(&tenant.get(path).await, 404, "-");
    }
    let answer = tenant
        .try_call("POST", "/integrations", &[("content-type", "text/xml")], "<a/>")
        .await;
    problem(&answer.expect("the host answers"), 415, "-");
    let answer = tenant
        .try_call("POST", "/plugins?name=a", &[("content-type", "application/json")], "{}")
        .await;
    problem(&answer.expect("the host answers"), 415, "-");

    for path in ["/events", "/integrations", "/plugins?name=a"] {
        let answer = tenant.try_call("POST", path, &[("content-encoding", "gzip")], "{}").await;
        problem(&answer.expect("the host answers"), 415, "-");
    }

    // Organizations and keys.
    refused(
        &host.operator,
        "POST",
        "/organizations",
        &[
            ("{", 400, ""),
            ("{}", 422, "/name"),
            (r#"{"name":"a b"}"#, 422, "/name"),
            (r#"{"name":5}"#, 422, "/name"),
            (r#"{"name":"a","colour":1}"#, 422, "/colour"),
            (r#"{"name":"a","allow_networks":["1.2.3.4/33"]}"#, 422, "/allow_networks/0"),
        ],
    )
    .await;
    refused(
        &tenant,
        "POST",
        "/keys",
        &[
            ("{}", 422, "/role"),
            (r#"{"role":"root"}"#, 422, "/role"),
            (r#"{"role":"operator"}"#, 403, "/role"),
            (r#"{"role":"read","inboxes":[]}"#, 422, "/inboxes"),
            (r#"{"role":"read","inboxes":["a","a"]}"#, 422, "/inboxes/1"),
            (r#"{"role":"read","expires_at":"tomorrow"}"#, 422, "/expires_at"),
            (r#"{"role":"read","expires_at":"2001-01-01T00:00:00Z"}"#, 422, "/expires_at"),
            (r#"{"role":"read","key":"chosen"}"#, 422, "/key"),
            (r#"{"role":"read","organization":"nobody"}"#, 404, "-"),
        ],
    )
    .await;
    refused(
        &host.operator,
        "POST",
        "/keys",
        &[
            (r#"{"role":"read"}"#, 422, "/organization"),
            (r#"{"role":"read","organization":"nobody"}"#, 422, "/organization"),
            (r#"{"role":"operator","organization":"contractfit1"}"#, 422, "/organization"),
            (r#"{"role":"operator","inboxes":["a"]}"#, 422, "/inboxes"),
        ],
    )
    .await;
}
