//! Whose a plugin is: an organization's own, the operator's for all, or built in.

use serde_json::json;

use super::{label, make, named};
use crate::parts::client::Client;
use crate::parts::components::{FLATTEN, PASSTHROUGH, wat};
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::Receiver;

/// An uploaded copy of the built-in plugin is the same plugin.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_ones_own_stands_before_the_hosts() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/hosts"), json!({"plugin": "passthrough"})).await;
    tenant.plugin("passthrough", wat("label", "own")).await;
    tenant.integration(&receiver.url("/own"), json!({"plugin": "passthrough"})).await;
    tenant.integration(&receiver.url("/default"), json!({})).await;
    assert_eq!(tenant.plugin("copy", FLATTEN).await["version"], 1);
    tenant.event(r#"{"event":"document_text","data":{ "id":"1","n":1.10}}"#).await;
    let received = receiver.wait_for(3).await;
    let at = |path: &str| String::from_utf8_lossy(&received.iter().find(|got| got.path == path).expect("one of each").body).into_owned();
    let documented = r#"{"event": "document_text", "organization": "contractfit1", "data": { "id":"1","n":1.10}}"#;
    assert_eq!(at("/hosts"), documented, "an integration keeps the plugin that its name meant");
    assert_eq!(at("/default"), documented);
    assert!(at("/own").contains(r#""label": "own""#), "{}", at("/own"));
}

/// A name is looked up when it is given. A plugin of one's own that comes to have the name of the host's takes over no integration, and locks
/// none out, when something else of it is changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_something_else_keeps_the_plugin() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let hosts = tenant.integration(&receiver.url("/hosts"), json!({"plugin": "passthrough"})).await;
    let path = format!("/integrations/{hosts}");
    let strict = tenant.integration(&receiver.url("/strict"), json!({"plugin": "flatten"})).await;
    assert_eq!(tenant.get(&path).await.expect(200)["plugin_owner"], "host");
    tenant.plugin("passthrough", wat("label", "own")).await;
    tenant.plugin("flatten", wat("schema", r#"{"required": ["never"]}"#)).await;

    for patch in [
        json!({"description": "the same"}),
        json!({"paused": true}),
        json!({"paused": false, "target": receiver.url("/patched")}),
    ] {
        assert_eq!(tenant.patch(&path, &patch).await.expect(200)["plugin_owner"], "host", "{patch}");
    }
    let strict = format!("/integrations/{strict}");
    tenant.patch(&strict, &json!({"description": "not locked out"})).await.expect(200);
    let read = tenant.get(&path).await.expect(200);
    let sent_back = tenant.patch(&path, &read).await.expect(200);
    assert_eq!(sent_back["plugin_owner"], "host", "what was read is sent back, and changes nothing");
    tenant.delete(&strict).await.expect(204);
    tenant.text_event("1").await;
    let body = r#"{"event": "document_text", "organization": "contractfit1", "data": {"id":"1","text":"some text"}}"#;
    let received = receiver.wait_for(1).await;
    assert_eq!((&*received[0].path, &received[0].body[..]), ("/patched", body.as_bytes()));

    let named = tenant.patch(&path, &json!({"plugin": "passthrough"})).await.expect(200);
    assert_eq!(named["plugin_owner"], "organization", "a name that is given is looked up");
    tenant.text_event("2").await;
    assert_eq!(label(&receiver.wait_for(2).await[1]), "own");
    let default = tenant.patch(&path, &json!({"plugin": null})).await.expect(200);
    assert!(default.get("plugin_owner").is_none(), "{default}");
    problem(&tenant.patch(&path, &json!({"plugin_owner": "host"})).await, 422, "/plugin_owner");
}

/// What every host has is a plugin like any other: the operator may put another version in its place, for good.
#[tokio::test(flavor = "multi_thread")]
async fn the_operator_may_replace_what_is_built_in() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    assert_eq!(
        host.operator.upload("name=passthrough", wat("label", "other")).await.expect(201)["version"],
        2
    );
    tenant.settled(&tenant.text_event("1").await).await;
    assert_eq!(label(&receiver.wait_for(1).await[0]), "other");
    host.kill();
    host.start_again();
    let tenant = Client {
        address: host.operator.address,
        ..tenant
    };
    tenant.text_event("2").await;
    assert_eq!(label(&receiver.wait_for(2).await[1]), "other");
    let back = host.operator.upload("name=passthrough", PASSTHROUGH).await.expect(200);
    assert_eq!((&back["version"], &back["active"]), (&json!(1), &json!(true)));
    tenant.text_event("3").await;
    let body = r#"{"event": "document_text", "organization": "contractfit1", "data": {"id":"3","text":"some text"}}"#;
    assert_eq!(receiver.wait_for(3).await[2].body, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_their_organizations_own() {
    let host = Host::start();
    let (first, second) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    let receiver = Receiver::start().await;
    first.plugin("mine", wat("label", "first")).await;
    let own = first.integration(&receiver.url("/first"), json!({"plugin": "mine"})).await;
    for plugin in ["mine", "mine@1"] {
        let (field, detail) = named(&make(&second, json!({"plugin": plugin})).await);
        assert_eq!(
            (&*field, detail.contains("there is no plugin `mine`")),
            ("/plugin", true),
            "{detail}"
        );
    }
    let other = second.upload("name=mine", wat("label", "second")).await.expect(201);
    assert_eq!(
        (&other["version"], text(&other, "/organization")),
        (&json!(1), "contractfit2"),
        "versions are counted by each for itself"
    );
    let same = second.upload("name=copy", wat("label", "first")).await.expect(201);
    assert_eq!(same["new"], true, "that another one has these bytes is not told");
    let foreign = second.upload("name=mine&organization=contractfit1", wat("label", "evil")).await;
    assert_eq!(foreign.status, 404);

    let event = first.text_event("5e7a").await;
    assert_eq!(label(&receiver.wait_for(1).await[0]), "first");
    let run = first.settled(&event).await["runs"][0].clone();
    let ids = [
        format!("/runs/{}", text(&run, "/id")),
        format!("/deliveries/{}", text(&run, "/deliveries/0/id")),
        format!("/events/{event}"),
    ];
    for path in &ids {
        first.get(path).await.expect(200);
        assert_eq!(second.get(path).await.status, 404, "{path}");
    }
    for (method, path) in [
        ("POST", format!("{}/resume", ids[0])),
        ("POST", format!("/integrations/{own}/resume")),
        ("GET", format!("/integrations/{own}")),
    ] {
        assert_eq!(second.call(method, &path, "").await.status, 404, "{path}");
    }
    assert_eq!(second.get("/runs").await.expect(200)["items"], json!([]));

    for role in ["ingest", "read"] {
        let key = first.post("/keys", &json!({"role": role})).await.expect(201);
        let client = first.with_key(text(&key, "/key"));
        assert_eq!(client.upload("name=mine", wat("label", "evil")).await.status, 403, "{role}");
    }
    assert_eq!(first.with_key("").upload("name=mine", wat("label", "evil")).await.status, 401);

    // The operator's are for all, and each of their changes reaches all.
    let hosts = host.operator.upload("name=shared", wat("label", "all")).await.expect(201);
    assert!(hosts.get("organization").is_none(), "{hosts}");
    first.integration(&receiver.url("/shared-1"), json!({"plugin": "shared"})).await;
    second.integration(&receiver.url("/shared-2"), json!({"plugin": "shared"})).await;
    let labels = async |seen: usize| {
        first.text_event("1").await;
        second.text_event("2").await;
        let received = receiver.wait_for(seen + 3).await;
        let mut found: Vec<(String, String)> = received[seen..].iter().map(|got| (got.path.clone(), label(got))).collect();
        found.sort();
        found
    };
    let pairs =
        |all: &str| [("/first", "first"), ("/shared-1", all), ("/shared-2", all)].map(|(path, label)| (path.to_owned(), label.to_owned()));
    assert_eq!(labels(1).await, pairs("all"));
    host.operator.upload("name=shared", wat("label", "newer")).await.expect(201);
    assert_eq!(labels(4).await, pairs("newer"));
    host.operator
        .upload("name=mine&organization=contractfit1", wat("label", "by the operator"))
        .await
        .expect(201);
    first.text_event("3").await;
    let last: Vec<String> = receiver.wait_for(9).await[7..].iter().map(label).collect();
    assert!(last.contains(&"by the operator".to_owned()), "{last:?}");
}
