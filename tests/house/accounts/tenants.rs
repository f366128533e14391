//! Organizations, which do not see one another.

use serde_json::{Value, json};

use super::{Tenant, key, routes_of_integration, tenant};
use crate::parts::components::FLATTEN;
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn another_organization_is_not_there() {
    let host = Host::start();
    let receiver = Receiver::answering(|_| Reply::Status(500)).await;
    let theirs = tenant(&host, "contractfit1", &receiver).await;
    let mine = tenant(&host, "contractfit2", &receiver).await;
    let keys = theirs.admin.get("/keys").await.expect(200);
    let their_key = text(&keys, "/items/0/id");
    let (_, reader) = key(&host, "contractfit2", "read", json!({})).await;
    let before = snapshot(&theirs).await;

    let mut routes = routes_of_integration(&theirs.integration);
    routes.extend([
        ("GET", format!("/events/{}", theirs.event)),
        ("GET", format!("/events/{}?data=true", theirs.event)),
        ("GET", format!("/runs/{}", theirs.run)),
        ("GET", format!("/runs/{}/export", theirs.run)),
        ("POST", format!("/runs/{}/resume", theirs.run)),
        ("GET", format!("/deliveries/{}", theirs.delivery)),
        ("GET", format!("/deliveries/{}/attempts", theirs.delivery)),
        ("POST", format!("/deliveries/{}/retry", theirs.delivery)),
        ("POST", format!("/deliveries/{}/verify", theirs.delivery)),
        ("GET", format!("/keys/{their_key}")),
        ("DELETE", format!("/keys/{their_key}")),
        ("GET", "/organizations/contractfit1".to_owned()),
    ]);
    let mut said = Vec::new();
    for (method, path) in &routes {
        let answer = mine.admin.call(method, path, "{}").await;
        said.push(problem(&answer, 404, "-"));
        let is_for_admins = path.ends_with("/secret") || path.ends_with("/export") || path.starts_with("/keys");
        if *method == "GET" && !is_for_admins {
            problem(&reader.get(path).await, 404, "-");
        }
        // Naming the other organization does not help, and so it is for an operator who names the wrong one.
        if !path.contains('?') && !path.starts_with("/keys") && !path.starts_with("/organizations") {
            problem(
                &mine.admin.call(method, &format!("{path}?organization=contractfit1"), "{}").await,
                404,
                "-",
            );
            problem(
                &host.operator.call(method, &format!("{path}?organization=contractfit2"), "{}").await,
                404,
                "-",
            );
        }
    }
    // What is another's is answered as what is nowhere.
    let nowhere = |path: &str| {
        let path = path
            .replace(&theirs.integration, "int_01ksr49200ew3re1r70w3ge1r7")
            .replace(&theirs.event, "evt_01ksr49200ew3re1r70w3ge1r7");
        let path = path
            .replace(&theirs.run, "run_01ksr49200ew3re1r70w3ge1r7")
            .replace(&theirs.delivery, "dlv_01ksr49200ew3re1r70w3ge1r7");
        path.replace(their_key, "key_01ksr49200ew3re1r70w3ge1r7")
            .replace("contractfit1", "nobody")
    };
    for ((method, path), said) in routes.iter().zip(&said) {
        assert_eq!(
            problem(&mine.admin.call(method, &nowhere(path), "{}").await, 404, "-"),
            *said,
            "{method} {path}"
        );
    }
    // An id of the wrong kind, a broken one, or one that is nearly right, names nothing.
    for path in ["/events/", "/runs/", "/deliveries/", "/integrations/", "/keys/"] {
        let nearly = theirs.event.replacen("evt_", if path == "/events/" { "run_" } else { "evt_" }, 1);
        for id in [
            "x",
            "evt_",
            "%00",
            "evt_01KSR49200EW3RE1R70W3GE1R7",
            "evt_zzzzzzzzzzzzzzzzzzzzzzzzzz",
            &nearly,
        ] {
            problem(&theirs.admin.get(&format!("{path}{id}")).await, 404, "-");
        }
    }
    let last = theirs.event.chars().last().expect("an id is not empty");
    let other_salt = format!("{}{}", theirs.event.trim_end_matches(last), if last == '0' { '1' } else { '0' });
    problem(&theirs.admin.get(&format!("/events/{other_salt}")).await, 404, "-");

    // Lists hold one's own alone, whatever is asked for.
    for query in [
        String::new(),
        format!("integration={}", theirs.integration),
        format!("event={}", theirs.event),
        "state=exhausted".to_owned(),
    ] {
        for list in ["/runs", "/deliveries"] {
            let found = mine
                .admin
                .get(&format!("{list}?{query}"))
                .await
                .expect(if query.contains("state") && list == "/runs" { 400 } else { 200 });
            let items = found["items"].as_array().cloned().unwrap_or_default();
            assert!(
                items.iter().all(|item| item["integration"] == *mine.integration),
                "{list}?{query}: {found}"
            );
            assert_eq!(
                items.is_empty(),
                query.contains('=') && !(query.contains("state") && list == "/deliveries"),
                "{list}?{query}: {found}"
            );
        }
    }
    for list in ["/runs", "/deliveries", "/integrations", "/keys"] {
        problem(&mine.admin.get(&format!("{list}?organization=contractfit1")).await, 404, "-");
    }
    let integrations = mine.admin.get("/integrations").await.expect(200);
    assert_eq!(integrations["items"].as_array().map(Vec::len), Some(1));
    let keys = mine.admin.get("/keys").await.expect(200);
    assert!(
        keys["items"]
            .as_array()
            .expect("keys")
            .iter()
            .all(|key| key["organization"] == "contractfit2"),
        "{keys}"
    );

    // Nor can anything be put there.
    let event = r#"{"event":"document_text","organization":"contractfit1","data":{"id":"d"}}"#;
    problem(&mine.admin.call("POST", "/events", event).await, 404, "-");
    problem(&mine.admin.call("POST", "/events?organization=contractfit1", event).await, 404, "-");
    problem(
        &mine
            .admin
            .call("POST", "/events", format!("[{},{event}]", event.replace("fit1", "fit2")))
            .await,
        404,
        "-",
    );
    let draft = json!({"type": "webhook", "events": ["document_text"], "target": receiver.url("/"), "organization": "contractfit1"});
    problem(&mine.admin.post("/integrations", &draft).await, 404, "-");
    problem(
        &mine
            .admin
            .post("/keys", &json!({"role": "read", "organization": "contractfit1"}))
            .await,
        404,
        "-",
    );
    problem(&mine.admin.upload("name=a&organization=contractfit1", FLATTEN).await, 404, "-");
    assert_eq!(snapshot(&theirs).await, before, "nothing of theirs has changed");

    // One organization's plugin is not another's.
    theirs.admin.plugin("shared_name", FLATTEN).await;
    let draft = json!({"type": "webhook", "events": ["document_text"], "target": receiver.url("/"), "plugin": "shared_name"});
    problem(&mine.admin.post("/integrations", &draft).await, 422, "/plugin");
    theirs.admin.post("/integrations", &draft).await.expect(201);
}

async fn snapshot(tenant: &Tenant) -> Vec<Value> {
    let mut found = Vec::new();
    for path in [
        format!("/integrations/{}", tenant.integration),
        format!("/events/{}", tenant.event),
        "/keys".to_owned(),
        "/integrations".to_owned(),
    ] {
        found.push(tenant.admin.get(&path).await.expect(200));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_are_made_once_and_listed_by_name() {
    let host = Host::start();
    let made = host.operator.post("/organizations", &json!({"name": "b"})).await;
    assert_eq!(made.headers["location"], "/organizations/b");
    let made = made.expect(201);
    assert_eq!((&made["name"], &made["allow_networks"]), (&json!("b"), &json!([])));
    assert_eq!(
        host.operator.post("/organizations", &json!({"name": "b"})).await.expect(200),
        made,
        "it is there"
    );
    problem(
        &host
            .operator
            .post("/organizations", &json!({"name": "b", "allow_networks": ["10.0.0.0/8"]}))
            .await,
        409,
        "-",
    );
    for name in ["c", "a", "d", "B"] {
        host.operator.post("/organizations", &json!({"name": name})).await.expect(201);
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = host.operator.get(&format!("/organizations?limit=2{cursor}")).await.expect(200);
        names.extend(
            page["items"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|item| text(item, "/name").to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => cursor.clear(),
        }
    }
    assert_eq!(names, ["B", "a", "b", "c", "d"]);
    assert!(cursor.is_empty(), "the third page is the last");
}
