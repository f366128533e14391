//! Making, listing, reading and changing.

use serde_json::{Value, json};

use crate::parts::client::Client;
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;

#[tokio::test(flavor = "multi_thread")]
async fn made_listed_read_changed_and_deleted() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    // The documented example, as the documented text spells it.
    let made = tenant
        .post(
            "/integrations/",
            &json!({
                "type": "webhook", "events": ["document_predict"], "target": "http://localhost:3000/alfred/document_predict",
                "header": {"Authorization": "Bearer abcdefg1234567989"}
            }),
        )
        .await;
    let (place, tag) = (
        made.headers["location"].to_str().expect("a path").to_owned(),
        made.headers["etag"].clone(),
    );
    let made = made.expect(201);
    assert_eq!(place, format!("/integrations/{}", text(&made, "/id")));
    assert_eq!((&made["type"], &made["events"]), (&json!("webhook"), &json!(["document_predict"])));
    assert_eq!(
        (&made["organization"], &made["headers"]),
        (&json!("contractfit1"), &json!({"authorization": "***"}))
    );
    assert_eq!(
        (&made["enabled"], &made["paused"], &made["stopped"]),
        (&json!(true), &json!(false), &json!(false))
    );
    let read = tenant.get(&place).await;
    assert_eq!((read.expect(200), &read.headers["etag"]), (made.clone(), &tag));

    // All that it may have comes back, and what was read can be sent back.
    let full = json!({
        "type": "webhook", "events": ["document_text", "document_delete"], "target": "127.0.0.1:3000/x?a=1", "headers": {"X-Team": "blue"},
        "inboxes": ["i1"], "projects": ["p1", "p2"], "targets": {"review": {"url": "https://b.example/r", "header": {"X-Key": "k"}}},
        "plugin": "flatten@1", "plugin_config": {"review_below": 80}, "retry": {"delays_ms": [1, 2]}, "timeout_ms": 500,
        "enabled": false, "paused": true, "description": "the ERP", "metadata": {"owner": {"name": "x"}}
    });
    let made = tenant.post("/integrations", &full).await.expect(201);
    for name in [
        "inboxes",
        "projects",
        "plugin",
        "plugin_config",
        "retry",
        "timeout_ms",
        "enabled",
        "paused",
        "description",
        "metadata",
    ] {
        assert_eq!(made[name], full[name], "{name}");
    }
    assert_eq!(made["target"], "http://127.0.0.1:3000/x?a=1");
    assert_eq!(
        made["targets"],
        json!({"review": {"target": "https://b.example/r", "headers": {"x-key": "***"}}})
    );
    let path = format!("/integrations/{}", text(&made, "/id"));
    let same = tenant.patch(&path, &made).await.expect(200);
    assert_eq!(without_times(&same), without_times(&made));

    // A merge patch by RFC 7396: null takes away, objects are merged, all else is replaced.
    let patch = json!({
        "inboxes": null, "projects": ["p3"], "description": null, "metadata": {"owner": {"name": null, "since": 2026}}, "enabled": true,
        "targets": {"review": null, "audit": {"target": "https://c.example"}}, "headers": {"x-team": null, "X-Other": "o"}
    });
    let changed = tenant
        .try_call(
            "PATCH",
            &path,
            &[("content-type", "application/merge-patch+json")],
            patch.to_string(),
        )
        .await
        .expect("an answer")
        .expect(200);
    assert_eq!(changed["metadata"], json!({"owner": {"since": 2026}}));
    assert_eq!((changed.get("inboxes"), changed.get("description")), (None, None));
    assert_eq!(
        (&changed["projects"], &changed["headers"]),
        (&json!(["p3"]), &json!({"x-other": "***"}))
    );
    assert_eq!(
        changed["targets"],
        json!({"audit": {"target": "https://c.example/", "headers": {}}})
    );
    assert_eq!((&changed["timeout_ms"], &changed["plugin"]), (&json!(500), &json!("flatten@1")));
    assert_eq!(tenant.get(&path).await.expect(200), changed);

    // Lists come in pages, in the order of their making.
    let mut ids = vec![
        text(&tenant.get(&place).await.expect(200), "/id").to_owned(),
        text(&made, "/id").to_owned(),
    ];
    for number in 0..3 {
        ids.push(tenant.integration(&format!("https://a.example/{number}"), json!({})).await);
    }
    for limit in [1, 2, 5, 200] {
        assert_eq!(
            pages(&tenant, &format!("/integrations?limit={limit}")).await,
            ids,
            "{limit} on each page"
        );
    }
    assert_eq!(pages(&host.operator, "/integrations?limit=3&organization=contractfit1").await, ids);

    tenant.delete(&format!("{path}/")).await.expect(204);
    for (method, rest) in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/secret"), ("POST", "/resume")] {
        problem(&tenant.call(method, &format!("{path}{rest}"), "{}").await, 404, "-");
    }
    ids.remove(1);
    assert_eq!(pages(&tenant, "/integrations?limit=2").await, ids);
    // An operator names the organization in the body as well.
    let made = json!({"type": "webhook", "events": ["document_text"], "target": "https://a.example", "organization": "contractfit1"});
    let made = host.operator.post("/integrations", &made).await.expect(201);
    let path = format!("/integrations/{}", text(&made, "/id"));
    let changed = json!({"organization": "contractfit1", "paused": true});
    assert_eq!(host.operator.patch(&path, &changed).await.expect(200)["paused"], true);
    host.operator.delete(&format!("{path}?organization=contractfit1")).await.expect(204);
}

fn without_times(integration: &Value) -> Value {
    let mut integration = integration.clone();
    integration["updated_at"] = Value::Null;
    integration
}

/// The ids of all items, page by page.
async fn pages(client: &Client, path: &str) -> Vec<String> {
    const PAGES_MAX: usize = 50;
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    for _ in 0..PAGES_MAX {
        let page = client.get(&format!("{path}{cursor}")).await.expect(200);
        ids.extend(
            page["items"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|item| text(item, "/id").to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
    panic!("{path} has no end: {ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_may_name_the_version_that_it_is_meant_for() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let id = tenant.integration("https://a.example", json!({})).await;
    let path = format!("/integrations/{id}");
    let tag = async || tenant.get(&path).await.headers["etag"].to_str().expect("a tag").to_owned();
    let change = async |method: &str, tag: &str, body: &str| {
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        tenant.try_call(method, &path, &headers, body.to_owned()).await.expect("an answer")
    };
    let first = tag().await;
    let changed = change("PATCH", &first, r#"{"paused": true}"#).await;
    let second = changed.headers["etag"].to_str().expect("a tag").to_owned();
    changed.expect(200);
    assert_ne!(first, second);
    assert_eq!(tag().await, second);
    problem(&change("PATCH", &first, r#"{"paused": false}"#).await, 412, "-");
    problem(&change("DELETE", &first, "").await, 412, "-");
    assert_eq!(tenant.get(&path).await.expect(200)["paused"], true);
    change("PATCH", &format!("{first}, {second}"), r#"{"description": "d"}"#)
        .await
        .expect(200);
    change("PATCH", "*", r#"{"description": "e"}"#).await.expect(200);

    // Of many that name the same version, one comes through; of many that name none, all do.
    let present = tag().await;
    let mut racing = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (tenant, path, present) = (tenant.clone(), path.clone(), present.clone());
        racing.spawn(async move {
            let headers = [("content-type", "application/json"), ("if-match", present.as_str())];
            let body = json!({"description": number.to_string()}).to_string();
            tenant
                .try_call("PATCH", &path, &headers, body)
                .await
                .expect("an answer")
                .status
                .as_u16()
        });
    }
    let mut statuses = racing.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|status| *status == 412), "{statuses:?}");
    let mut racing = tokio::task::JoinSet::new();
    for number in 0..4 {
        let (tenant, path) = (tenant.clone(), path.clone());
        racing.spawn(async move {
            let body = json!({"metadata": {number.to_string(): true}});
            tenant.patch(&path, &body).await.status.as_u16()
        });
    }
    assert_eq!(racing.join_all().await, [200; 4]);
    let metadata = &tenant.get(&path).await.expect(200)["metadata"];
    assert_eq!(
        metadata.as_object().map(serde_json::Map::len),
        Some(4),
        "no change undoes another: {metadata}"
    );
    let present = tag().await;
    change("DELETE", &present, "").await.expect(204);
}
