//! What each role may do.

use serde_json::json;

use super::{Tenant, key, tenant};
use crate::parts::host::Host;
use crate::parts::looks::{problem, some_problem};
use crate::parts::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn what_each_role_may_do() {
    let host = Host::start();
    let receiver = Receiver::answering(|_| Reply::Status(500)).await;
    let there = tenant(&host, "contractfit1", &receiver).await;
    let Tenant {
        integration,
        event,
        run,
        delivery,
        ..
    } = &there;
    let (doomed, _) = key(&host, "contractfit1", "read", json!({})).await;
    let callers = [
        host.operator.clone(),
        there.admin.clone(),
        key(&host, "contractfit1", "ingest", json!({})).await.1,
        key(&host, "contractfit1", "read", json!({})).await.1,
        host.operator.with_key(""),
        host.operator.with_key("hmk_0123456789abcdefghjkmnpqrstvwxyz"),
    ];
    let o = "organization=contractfit1";
    let draft = json!({"type": "webhook", "events": ["document_split"], "target": receiver.url("/")}).to_string();
    let new_key = json!({"role": "read"}).to_string();
    let event_body = r#"{"event":"document_delete","data":{"id":"d"}}"#;
    // What operator, admin, ingest and read are answered; who has no key, or none that holds, is always answered 401.
    let table: Vec<(&str, String, &str, [u16; 4])> = vec![
        ("POST", format!("/events?{o}"), event_body, [202, 202, 202, 403]),
        ("GET", format!("/events/{event}?{o}"), "", [200, 200, 403, 200]),
        ("GET", format!("/integrations?{o}"), "", [200, 200, 403, 200]),
        ("POST", format!("/integrations?{o}"), &draft, [201, 201, 403, 403]),
        ("GET", format!("/integrations/{integration}?{o}"), "", [200, 200, 403, 200]),
        ("PATCH", format!("/integrations/{integration}?{o}"), "{}", [200, 200, 403, 403]),
        ("GET", format!("/integrations/{integration}/secret?{o}"), "", [200, 200, 403, 403]),
        ("POST", format!("/integrations/{integration}/resume?{o}"), "", [202, 202, 403, 403]),
        ("GET", format!("/runs?{o}"), "", [200, 200, 403, 200]),
        ("GET", format!("/runs/{run}?{o}"), "", [200, 200, 403, 200]),
        ("GET", format!("/runs/{run}/export?{o}"), "", [200, 200, 403, 403]),
        ("POST", format!("/runs/{run}/resume?{o}"), "", [409, 409, 403, 403]),
        ("GET", format!("/deliveries?{o}"), "", [200, 200, 403, 200]),
        ("GET", format!("/deliveries/{delivery}?{o}"), "", [200, 200, 403, 200]),
        ("GET", format!("/deliveries/{delivery}/attempts?{o}"), "", [200, 200, 403, 200]),
        ("POST", format!("/deliveries/{delivery}/verify?{o}"), "", [200, 200, 403, 403]),
        ("POST", format!("/deliveries/{delivery}/retry?{o}"), "", [202, 202, 403, 403]),
        ("GET", "/organizations".to_owned(), "", [200, 403, 403, 403]),
        (
            "POST",
            "/organizations".to_owned(),
            r#"{"name":"contractfit9"}"#,
            [201, 403, 403, 403],
        ),
        ("GET", "/organizations/contractfit1".to_owned(), "", [200, 200, 403, 200]),
        ("PATCH", "/organizations/contractfit1".to_owned(), "{}", [200, 403, 403, 403]),
        ("GET", format!("/keys?{o}"), "", [200, 200, 403, 403]),
        ("POST", format!("/keys?{o}"), &new_key, [201, 201, 403, 403]),
        ("GET", format!("/keys/{doomed}"), "", [200, 200, 403, 403]),
        ("DELETE", format!("/keys/{doomed}"), "", [404, 204, 403, 403]),
        ("POST", format!("/plugins?name=a&{o}"), "no component", [422, 422, 403, 403]),
        ("DELETE", format!("/integrations/{integration}?{o}"), "", [404, 204, 403, 403]),
    ];
    for (method, path, body, expected) in &table {
        // Those who may not come first, so that whoever may has something left to do it with; of two who may delete it, the admin has it.
        for (who, client) in callers.iter().enumerate().rev() {
            let type_of_body = if path.starts_with("/plugins") {
                "application/wasm"
            } else {
                "application/json"
            };
            if *method == "POST" && path.ends_with(&format!("/retry?{o}")) && who < 2 {
                exhausted(&there, delivery).await;
            }
            let answer = client
                .try_call(method, path, &[("content-type", type_of_body)], (*body).to_owned())
                .await
                .expect("an answer");
            let status = *expected.get(who).unwrap_or(&401);
            assert_eq!(answer.status, status, "{method} {path} by {who}: {:?}", answer.body);
            if status >= 400 {
                some_problem(&answer, status);
            }
            assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{method} {path}");
        }
    }
    for path in ["/healthz", "/readyz", "/healthz/"] {
        host.operator.with_key("").get(path).await.expect(200);
    }
    // A key of one organization speaks for that one: it need not name it.
    there.admin.get("/integrations").await.expect(200);
    problem(&host.operator.get("/integrations").await, 422, "?organization");
}

async fn exhausted(there: &Tenant, delivery: &str) {
    there
        .admin
        .when(&format!("/deliveries/{delivery}"), |delivery| delivery["state"] == "exhausted")
        .await;
}
