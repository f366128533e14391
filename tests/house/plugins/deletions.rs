//! Deleting versions: refused while anything may need one, and what is left afterwards.

use std::collections::BTreeSet;

use hookmill_domain::digest::Digest;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::named;
use crate::parts::client::Client;
use crate::parts::components::wat;
use crate::parts::disk::DatabaseLog;
use crate::parts::host::{Host, text};
use crate::parts::looks::{problem, some_problem};
use crate::parts::receiver::{Gate, PATIENCE, Receiver, Reply};

/// What needs a version, as the refusal of its deletion tells.
async fn needed(client: &Client, path: &str) -> Value {
    let problem = some_problem(&client.delete(path).await, 409);
    assert_eq!(text(&problem, "/code"), "version_needed");
    problem["needed_by"].clone()
}

/// The runs that need a version, which nothing else does: what of each is open, and its event.
async fn open_runs(client: &Client, path: &str) -> BTreeSet<(String, String)> {
    let needed = needed(client, path).await;
    assert_eq!(
        (&needed["active"], &needed["pinned_by"], &needed["open_runs_of"], &needed["more"]),
        (&json!(false), &json!([]), &json!([]), &json!(false)),
        "{needed}"
    );
    let runs = needed["runs"].as_array().expect("a list").iter();
    runs.map(|run| (text(run, "/open").to_owned(), text(run, "/event").to_owned()))
        .collect()
}

fn pairs<'a>(open: &str, events: impl IntoIterator<Item = &'a String>) -> BTreeSet<(String, String)> {
    events.into_iter().map(|event| (open.to_owned(), event.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_in_use_stays() {
    let host = Host::start();
    let (tenant, other) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    host.operator.plugin("shared", wat("label", "1")).await;
    tenant.plugin("mine", wat("label", "1")).await;
    let active = needed(&tenant, "/plugins/mine/versions/1").await;
    assert_eq!((&active["active"], &active["pinned_by"]), (&json!(true), &json!([])));
    tenant.plugin("mine", wat("label", "2")).await;
    host.operator.plugin("shared", wat("label", "2")).await;
    let receiver = Receiver::start().await;
    for (plugin, by) in [("mine", &tenant), ("shared", &host.operator)] {
        let pinned = tenant
            .integration(&receiver.url("/"), json!({"plugin": format!("{plugin}@1")}))
            .await;
        let path = format!("/plugins/{plugin}/versions/1");
        let needed = needed(by, &path).await;
        assert_eq!(
            (&needed["active"], &needed["pinned_by"]),
            (&json!(false), &json!([{"id": pinned, "organization": "contractfit1"}]))
        );
        // A refused deletion leaves everything as it was.
        tenant.text_event("1").await;
        assert_eq!(tenant.get(&format!("{path}/component")).await.status, 200);
        tenant
            .patch(&format!("/integrations/{pinned}"), &json!({"plugin": plugin}))
            .await
            .expect(200);
    }
    receiver.wait_for(3).await;
    for event in tenant.get("/runs").await.expect(200)["items"].as_array().expect("a list") {
        tenant.settled(text(event, "/event")).await;
    }
    tenant.delete("/plugins/mine/versions/1").await.expect(204);
    host.operator.delete("/plugins/shared/versions/1").await.expect(204);
    assert_eq!(named(&super::make(&other, json!({"plugin": "shared@1"})).await).0, "/plugin");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_gone_and_what_it_did_stays() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let first = tenant.plugin("mine", wat("label", "one")).await;
    tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
    let event = tenant.text_event("1").await;
    tenant.settled(&event).await;
    tenant.plugin("mine", wat("label", "two")).await;
    tenant.delete("/plugins/mine/versions/1").await.expect(204);
    for (method, rest) in [("GET", ""), ("GET", "/component"), ("POST", "/activate"), ("DELETE", "")] {
        problem(&tenant.call(method, &format!("/plugins/mine/versions/1{rest}"), "").await, 404, "-");
    }
    let (field, detail) = named(&super::make(&tenant, json!({"plugin": "mine@1"})).await);
    assert_eq!((&*field, detail.contains("no version 1")), ("/plugin", true), "{detail}");
    let listed = tenant.get("/plugins/mine").await.expect(200)["versions"]["items"].clone();
    assert_eq!((listed.as_array().map(Vec::len), &listed[0]["version"]), (Some(1), &json!(2)));
    let run = tenant.settled(&event).await["runs"][0].clone();
    assert_eq!(
        (
            &run["plugin"]["version"],
            &run["plugin"]["digest"],
            text(&run, "/deliveries/0/state")
        ),
        (&json!(1), &first["digest"], "delivered")
    );
    assert_eq!(tenant.get("/runs").await.expect(200)["items"].as_array().map(Vec::len), Some(1));

    // A number means the same bytes for ever: others get another one, and the same ones their own.
    assert_eq!(tenant.plugin("mine", wat("label", "three")).await["version"], 3);
    let back = tenant.upload("name=mine", wat("label", "one")).await.expect(201);
    assert_eq!(
        (&back["version"], &back["new"], &back["active"], &back["id"]),
        (&json!(1), &json!(true), &json!(true), &first["id"])
    );
    let event = tenant.text_event("2").await;
    assert_eq!(tenant.settled(&event).await["runs"][0]["plugin"]["version"], 1);

    // A plugin without versions is none, and one of the host's name stands before nobody's.
    let own = tenant.upload("name=flatten&activate=false", wat("label", "own")).await.expect(201);
    assert_eq!(named(&super::make(&tenant, json!({"plugin": "flatten"})).await).0, "/plugin");
    assert_eq!(tenant.get("/plugins/flatten").await.expect(200)["id"], own["id"]);
    tenant.delete("/plugins/flatten/versions/1").await.expect(204);
    assert!(tenant.get("/plugins/flatten").await.expect(200).get("organization").is_none());
    super::make(&tenant, json!({"plugin": "flatten"})).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_run_needs_its_version() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("mine", wat("trap", "")).await;
    let integration = tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
    let event = tenant.text_event("1").await;
    let run = tenant.run_of(&event).await;
    tenant.plugin("mine", wat("label", "good")).await;
    let path = "/plugins/mine/versions/1";
    let needed = needed(&tenant, path).await;
    assert_eq!(
        needed["runs"],
        json!([{"id": run["id"], "event": event, "integration": integration, "organization": "contractfit1", "open": "parked"}])
    );
    tenant
        .call("POST", &format!("/integrations/{integration}/resume"), "")
        .await
        .expect(202);
    tenant.settled(&event).await;
    tenant.delete(path).await.expect(204);
    // And one that nobody resumes does so for as long as its integration is there.
    tenant.plugin("mine", wat("trap", "")).await;
    let event = tenant.text_event("2").await;
    tenant.run_of(&event).await;
    tenant.plugin("mine", wat("label", "good")).await;
    assert_eq!(open_runs(&tenant, path).await, pairs("parked", [&event]));
    tenant.delete(&format!("/integrations/{integration}")).await.expect(204);
    tenant.delete(path).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_the_queue_needs_its_version() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    for number in ["1", "2"] {
        tenant.upload("name=mine&activate=false", wat("label", number)).await.expect(201);
        host.operator
            .upload("name=shared&activate=false", wat("label", number))
            .await
            .expect(201);
    }
    let activate = async |host: &Host, version: u32| {
        tenant
            .with_host(host)
            .call("POST", &format!("/plugins/mine/versions/{version}/activate"), "")
            .await
            .expect(200);
        host.operator
            .call("POST", &format!("/plugins/shared/versions/{version}/activate"), "")
            .await
            .expect(200);
    };
    activate(&host, 1).await;
    let mut integrations = Vec::new();
    for plugin in ["mine", "shared"] {
        integrations.push(
            tenant
                .integration(&receiver.url("/"), json!({"plugin": plugin, "paused": true}))
                .await,
        );
    }
    let mut events = [tenant.text_event("1").await, tenant.text_event("2").await];
    events.sort();
    activate(&host, 2).await;
    let check = async |host: &Host, version: u32, events: &[String]| {
        for (plugin, by) in [("mine", &tenant.with_host(host)), ("shared", &host.operator)] {
            let path = format!("/plugins/{plugin}/versions/{version}");
            assert_eq!(open_runs(by, &path).await, pairs("queued", events));
        }
    };
    check(&host, 1, &events).await;
    host.kill();
    host.start_again();
    check(&host, 1, &events).await;
    // Under the second version nothing was accepted; and the older ones are few enough to be told from its own.
    activate(&host, 1).await;
    let tenant_now = tenant.with_host(&host);
    tenant_now.delete("/plugins/mine/versions/2").await.expect(204);
    host.operator.delete("/plugins/shared/versions/2").await.expect(204);
    for integration in &integrations {
        tenant_now
            .patch(&format!("/integrations/{integration}"), &json!({"paused": false}))
            .await
            .expect(200);
    }
    for got in receiver.wait_for(4).await {
        assert_eq!(super::label(&got), "1");
    }
    for event in &events {
        tenant_now.settled(event).await;
    }
    // What waits now waits for a later one.
    for integration in &integrations {
        tenant_now
            .patch(&format!("/integrations/{integration}"), &json!({"paused": true}))
            .await
            .expect(200);
    }
    tenant_now.plugin("mine", wat("label", "3")).await;
    host.operator.plugin("shared", wat("label", "3")).await;
    tenant_now.text_event("3").await;
    tenant_now.delete("/plugins/mine/versions/1").await.expect(204);
    host.operator.delete("/plugins/shared/versions/1").await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_too_long_to_look_through_is_in_the_way_as_a_whole() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("mine", wat("label", "1")).await;
    let integration = tenant
        .integration(&receiver.url("/"), json!({"plugin": "mine", "paused": true}))
        .await;
    let event = json!({"event": "document_text", "data": {"id": "d"}});
    let batch = Value::from(vec![event; 201]);
    tenant.call("POST", "/events", batch.to_string()).await.expect(202);
    tenant.plugin("mine", wat("label", "2")).await;
    tenant.plugin("mine", wat("label", "3")).await;
    let undecided = needed(&tenant, "/plugins/mine/versions/2").await;
    assert_eq!(
        (&undecided["runs"], &undecided["open_runs_of"]),
        (&json!([]), &json!([{"id": integration, "organization": "contractfit1"}]))
    );
    let theirs = needed(&tenant, "/plugins/mine/versions/1").await;
    assert_eq!((theirs["runs"].as_array().map(Vec::len), &theirs["more"]), (Some(10), &json!(true)));
    tenant
        .patch(&format!("/integrations/{integration}"), &json!({"paused": false}))
        .await
        .expect(200);
    receiver.wait_for(201).await;
    tenant.when("/runs?state=queued", |found| found["items"] == json!([])).await;
    for path in ["/plugins/mine/versions/2", "/plugins/mine/versions/1"] {
        tenant.delete(path).await.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_or_waits_for_its_receiver_needs_its_version() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::answering(move |got| match &*got.path {
        "/slow" => Reply::Gated(held.clone(), 200),
        _ => Reply::Status(503),
    })
    .await;
    tenant.plugin("mine", wat("label", "1")).await;
    let slow = tenant.integration(&receiver.url("/slow"), json!({"plugin": "mine"})).await;
    let event = tenant.text_event("1").await;
    receiver.wait_for(1).await;
    tenant.plugin("mine", wat("label", "2")).await;
    let path = "/plugins/mine/versions/1";
    assert_eq!(
        open_runs(&tenant, path).await,
        pairs("pending", [&event]),
        "its first attempt has not ended"
    );
    gate.open();
    tenant.settled(&event).await;
    tenant.delete(path).await.expect(204);
    tenant.delete(&format!("/integrations/{slow}")).await.expect(204);

    let later = json!({"plugin": "mine", "retry": {"delays_ms": [3_600_000]}});
    let failing = tenant.integration(&receiver.url("/down"), later).await;
    let event = tenant.text_event("2").await;
    let waits = |event: &Value| event["runs"][0]["deliveries"][0]["state"] == "waiting";
    tenant.event_when(&event, waits).await;
    tenant.plugin("mine", wat("label", "3")).await;
    let path = "/plugins/mine/versions/2";
    assert_eq!(open_runs(&tenant, path).await, pairs("delivery", [&event]));
    tenant.delete(&format!("/integrations/{failing}")).await.expect(204);
    tenant.delete(path).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_with_their_last_version() {
    let mut host = Host::start();
    let (first, second) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    let receiver = Receiver::start().await;
    let bytes = wat("label", "both");
    for tenant in [&first, &second] {
        tenant.upload("name=mine&activate=false", bytes.clone()).await.expect(201);
    }
    let digest = *Digest::of(&bytes).as_bytes();
    let database = |host: &Host| Connection::open(host.folder().join("hookmill.db")).expect("it opens");
    let stored = |host: &Host| {
        let database = database(host);
        let count = |table: &str| -> u32 {
            let sql = format!("SELECT count(*) FROM {table} WHERE digest = ?1");
            database.query_row(&sql, [digest], |row| row.get(0)).expect("a count")
        };
        (count("component"), count("component_piece"))
    };
    let gone = async |host: &Host| {
        let mut log = DatabaseLog::watch(host.folder());
        let watch = async {
            while stored(host) != (0, 0) {
                log.written().await;
            }
        };
        tokio::time::timeout(PATIENCE, watch).await.expect("the bytes are removed");
    };
    first.delete("/plugins/mine/versions/1").await.expect(204);
    assert_eq!(stored(&host), (1, 1));
    assert_eq!(second.get("/plugins/mine/versions/1/component").await.body, bytes);
    second.integration(&receiver.url("/"), json!({"plugin": "mine@1"})).await;
    second.text_event("1").await;
    assert_eq!(super::label(&receiver.wait_for(1).await[0]), "both");
    first.upload("name=other&activate=false", bytes.clone()).await.expect(201);
    let pinned = second.get("/integrations").await.expect(200);
    second
        .delete(&format!("/integrations/{}", text(&pinned, "/items/0/id")))
        .await
        .expect(204);
    second.delete("/plugins/mine/versions/1").await.expect(204);
    assert_eq!(stored(&host), (1, 1));
    first.delete("/plugins/other/versions/1").await.expect(204);
    gone(&host).await;
    first.plugin("mine", bytes.clone()).await;
    assert_eq!(first.get("/plugins/mine/versions/1/component").await.body, bytes);

    // What a crash left half removed, the next start removes.
    first.plugin("mine", wat("label", "next")).await;
    host.kill();
    let hide = "UPDATE plugin_version SET deleted_at = 1 WHERE digest = ?1";
    let leave = "UPDATE component SET bytes = -1 WHERE digest = ?1";
    for sql in [hide, leave] {
        database(&host).execute(sql, [digest]).expect("it is changed");
    }
    host.start_again();
    gone(&host).await;
}
