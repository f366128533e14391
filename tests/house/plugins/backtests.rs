//! Backtests: what a version would have made of the events that are stored, beside the version that an integration has.

mod bounds;
mod lines;

use rusqlite::Connection;
use serde_json::{Value, json};

use self::lines::{Stream, summary};
use crate::parts::client::Client;
use crate::parts::components::{PASSTHROUGH, probe, wat};
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::Receiver;

/// The version that does what events tell it. The other one passes all on.
const TOLD: &str = "/plugins/mine/versions/2/backtest";
const PASSES: &str = "/plugins/mine/versions/1/backtest";

/// The plugin `mine` with its two versions, the first of them active.
async fn two_versions(tenant: &Client) {
    tenant.plugin("mine", PASSTHROUGH).await;
    tenant.upload("name=mine&activate=false", probe()).await.expect(201);
}

/// An integration as it is made, or given with a question.
fn mine(target: &str) -> Value {
    json!({"type": "webhook", "events": ["document_text"], "target": target, "plugin": "mine", "plugin_config": {"do": "as_told"}})
}

/// An event that tells what to do with it, if anything.
fn event(id: &str, told: Value) -> Value {
    let mut event = json!({"event": "document_text", "data": {"id": id, "text": "some text"}});
    if !told.is_null() {
        event["data"]["probe"] = told;
    }
    event
}

async fn posted(tenant: &Client, events: &[Value]) -> Vec<String> {
    let answer = tenant.post("/events", &json!(events)).await.expect(202);
    let receipts = answer["items"].as_array().unwrap_or_else(|| panic!("no receipts: {answer}"));
    receipts.iter().map(|receipt| text(receipt, "/id").to_owned()).collect()
}

/// The counts that are not 0, by name.
fn counts(summary: &Value) -> Value {
    let numbers = summary.as_object().expect("an object").iter();
    let counts = numbers.filter(|(_, value)| value.as_u64().is_some_and(|count| count > 0));
    Value::Object(counts.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_different_is_counted_and_the_first_of_each_is_shown() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    two_versions(&tenant).await;
    let integration = text(
        &tenant.post("/integrations", &mine(&receiver.url("/hook"))).await.expect(201),
        "/id",
    )
    .to_owned();
    let other = json!({"do": "deliver", "requests": [
        {"json": r#"{"event": "document_text", "organization": "contractfit1", "data": {"id": "changed", "text": "other"}}"#}]});
    let events = posted(
        &tenant,
        &[
            event("a", Value::Null),
            event("b", Value::Null),
            event("c", other.clone()),
            event("d", other),
            event("e", json!({"do": "skip", "reason": "not ours"})),
            event("f", json!({"do": "reject", "reason": "no total"})),
            event("g", json!({"do": "panic", "message": "oh dear"})),
            event("h", Value::Null),
        ],
    )
    .await;
    receiver.wait_for(events.len()).await;
    for event in &events {
        tenant.settled(event).await;
    }
    let runs = tenant.get("/runs").await.expect(200);

    let asked = json!({"integration": integration, "last": 100});
    let found = summary(&tenant.post(TOLD, &asked).await);
    assert_eq!(
        counts(&found),
        json!({"scanned": 8, "compared": 8, "same": 3, "changed": 2, "newly_skipped": 1, "newly_failing": 2})
    );
    assert_eq!(
        (&found["old"], &found["new"]),
        (&json!({"plugin": "mine", "version": 1}), &json!({"plugin": "mine", "version": 2}))
    );
    assert_eq!(found["stopped_by"], Value::Null);
    let changed = &found["first"]["changed"];
    assert_eq!(text(changed, "/event"), events[3], "the newest comes first");
    assert_eq!(changed["old"], json!({"outcome": "deliver", "requests": 1}));
    let differences = changed["differences"].as_array().expect("a list");
    let find = |at: &str| differences.iter().find(|found| found["at"] == at).cloned().unwrap_or_default();
    assert_eq!(
        find("/requests/0/body/data/text"),
        json!({"at": "/requests/0/body/data/text", "old": "\"some text\"", "new": "\"other\""})
    );
    assert!(text(&find("/requests/0/body/data/probe"), "/old").starts_with("{\"do\":"));
    let skipped = &found["first"]["newly_skipped"];
    assert_eq!(skipped["new"], json!({"outcome": "skip", "reason": "not ours", "requests": 0}));
    assert!(
        text(skipped, "/differences/0/old").starts_with("POST to default: application/json"),
        "{skipped}"
    );
    let failing = &found["first"]["newly_failing"];
    assert_eq!((text(failing, "/event"), text(failing, "/new/code")), (&events[6][..], "trap"));
    assert!(text(failing, "/new/reason").contains("oh dear"), "{failing}");

    assert_eq!(receiver.received().len(), events.len(), "nothing is sent");
    assert_eq!(tenant.get("/runs").await.expect(200), runs, "nothing is stored");

    // The other way round: an integration that follows the plugin has the active version, and one that pins a version has that.
    tenant.post("/plugins/mine/versions/2/activate", &json!({})).await.expect(200);
    let back = summary(&tenant.post(PASSES, &asked).await);
    assert_eq!(
        counts(&back),
        json!({"scanned": 8, "compared": 8, "same": 3, "changed": 2, "newly_delivered": 1, "no_longer_failing": 2})
    );
    let itself = summary(&tenant.post(TOLD, &asked).await);
    assert_eq!(counts(&itself), json!({"scanned": 8, "compared": 8, "same": 6, "still_failing": 2}));
    tenant
        .patch(
            &format!("/integrations/{integration}"),
            &json!({"plugin": "mine@1", "enabled": false}),
        )
        .await
        .expect(200);
    let pinned = summary(&tenant.post(TOLD, &asked).await);
    assert_eq!((&pinned["old"]["version"], &pinned["changed"]), (&json!(1), &json!(2)), "{pinned}");
}

/// Integrations that are not there yet are compared with the plugin that they name, or with the active version.
#[tokio::test(flavor = "multi_thread")]
async fn an_integration_can_be_given() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    two_versions(&tenant).await;
    tenant.plugin("label", wat("label", "1")).await;
    posted(
        &tenant,
        &[event("a", Value::Null), event("b", json!({"do": "skip", "reason": "so"}))],
    )
    .await;
    let mut given = mine("https://example.org/");
    for (plugin, old, expected) in [
        (
            Value::Null,
            json!({"plugin": "mine", "version": 1}),
            json!({"same": 1, "newly_skipped": 1}),
        ),
        (json!("mine@2"), json!({"plugin": "mine", "version": 2}), json!({"same": 2})),
        (
            json!("label"),
            json!({"plugin": "label", "version": 1}),
            json!({"changed": 1, "newly_skipped": 1}),
        ),
    ] {
        given["plugin"] = plugin;
        let found = summary(&tenant.post(TOLD, &json!({"integration": given, "last": 10})).await);
        let mut wanted = json!({"scanned": 2, "compared": 2});
        wanted
            .as_object_mut()
            .expect("one")
            .extend(expected.as_object().expect("one").clone());
        assert_eq!((&found["old"], counts(&found)), (&old, wanted));
    }
    // Scopes are those of the integration.
    given["inboxes"] = json!(["5e6f3b1c255bf93741170a11"]);
    let found = summary(&tenant.post(TOLD, &json!({"integration": given, "last": 10})).await);
    assert_eq!(counts(&found), json!({"scanned": 2}));
}

/// More events than the listing is filled with at once, and some that it does not have yet; those of another organization stand between.
#[tokio::test(flavor = "multi_thread")]
async fn it_goes_back_page_by_page_through_the_organizations_own_events() {
    let host = Host::start();
    let (tenant, other) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    two_versions(&tenant).await;
    two_versions(&other).await;
    let many: Vec<Value> = (0..900).map(|number| event(&number.to_string(), Value::Null)).collect();
    let others: Vec<Value> = (0..100)
        .map(|number| event(&number.to_string(), json!({"do": "skip", "reason": "another organization's"})))
        .collect();
    for _ in 0..4 {
        posted(&tenant, &many).await;
        posted(&other, &others).await;
    }
    let fails = json!({"event": "document_fail", "data": {"id": "x"}});
    let tail = posted(
        &tenant,
        &[event("y", json!({"do": "skip", "reason": "the last"})), fails.clone(), fails],
    )
    .await;
    posted(&other, &others).await;

    let asked = json!({"integration": mine("https://example.org/"), "last": 3000});
    let mut stream = Stream::open(&tenant, TOLD, &asked).await;
    let mut progress = Vec::new();
    let found = loop {
        let mut line = stream.line().await.expect("a summary is the last line");
        match line.get_mut("progress") {
            Some(counts) => progress.push(counts.take()),
            None => break line["summary"].take(),
        }
    };
    assert_eq!(stream.line().await, None);
    // The two that do not match are not counted among the 3,000.
    assert_eq!(
        counts(&found),
        json!({"scanned": 3002, "compared": 3000, "same": 2999, "newly_skipped": 1})
    );
    assert_eq!(text(&found, "/first/newly_skipped/event"), tail[0]);
    assert_eq!(progress[0]["compared"], 0, "it answers at once");
    let compared: Vec<u64> = progress.iter().filter_map(|counts| counts["compared"].as_u64()).collect();
    assert!(compared.is_sorted(), "{compared:?}");
    let all = json!({"integration": mine("https://example.org/"), "since": "2020-01-01T00:00:00Z"});
    let found = summary(&tenant.post(TOLD, &all).await);
    assert_eq!(
        counts(&found),
        json!({"scanned": 3603, "compared": 3601, "same": 3600, "newly_skipped": 1})
    );
    // Once more with all of them in the listing.
    posted(&tenant, &many).await;
    let found = summary(&tenant.post(TOLD, &all).await);
    assert_eq!(
        counts(&found),
        json!({"scanned": 4503, "compared": 4501, "same": 4500, "newly_skipped": 1})
    );
    let since = text(&tenant.get(&format!("/events/{}", tail[0])).await.expect(200), "/accepted_at").to_owned();
    let later = json!({"integration": mine("https://example.org/"), "since": since});
    assert_eq!(summary(&tenant.post(TOLD, &later).await)["compared"], 901);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_whose_payload_is_gone_are_counted() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    two_versions(&tenant).await;
    posted(
        &tenant,
        &[event("old", Value::Null), event("gone", Value::Null), event("new", Value::Null)],
    )
    .await;
    host.kill();
    let database = Connection::open(host.folder().join("hookmill.db")).expect("it opens");
    let erased = database.execute("UPDATE event SET payload = 1, data = NULL WHERE document = 'gone'", []);
    assert_eq!(erased, Ok(1));
    drop(database);
    host.start_again();
    let tenant = tenant.with_host(&host);
    for (last, expected) in [
        (3, json!({"scanned": 3, "compared": 2, "same": 2, "payload_gone": 1})),
        (2, json!({"scanned": 2, "compared": 1, "same": 1, "payload_gone": 1})),
    ] {
        let asked = json!({"integration": mine("https://example.org/"), "last": last});
        assert_eq!(counts(&summary(&tenant.post(TOLD, &asked).await)), expected, "{last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let host = Host::start();
    let (tenant, other) = (host.organization("contractfit1").await, host.organization("contractfit2").await);
    two_versions(&tenant).await;
    let schema = json!({"type": "object", "required": ["a"]});
    tenant.plugin("strict", wat("schema", &schema.to_string())).await;
    tenant.upload("name=idle&activate=false", wat("label", "1")).await.expect(201);
    let good = mine("https://example.org/");
    let with = |name: &str, value: Value| {
        let mut given = good.clone();
        given[name] = value;
        json!({"integration": given, "last": 1})
    };
    for (body, place) in [
        (json!({"last": 1}), "/integration"),
        (json!({"integration": good, "last": 1, "since": "2020-01-01T00:00:00Z"}), "/since"),
        (json!({"integration": good, "last": 0}), "/last"),
        (json!({"integration": good, "last": 100_001}), "/last"),
        (json!({"integration": good, "since": "yesterday"}), "/since"),
        (json!({"integration": good, "last": 1, "more": 1}), "/more"),
        (json!({"integration": "int_x", "last": 1}), "/integration"),
        (with("events", Value::Null), "/integration/events"),
        (with("plugin", json!("nobody")), "/integration/plugin"),
        // Its creation would be refused: what it has would be compared with a fault.
        (with("plugin", json!("strict")), "/integration/plugin_config/a"),
    ] {
        problem(&tenant.post(TOLD, &body).await, 422, place);
    }
    let strict = "/plugins/strict/versions/1/backtest";
    problem(
        &tenant.post(strict, &with("plugin", Value::Null)).await,
        422,
        "/integration/plugin_config/a",
    );
    // Nobody has a version of it.
    problem(
        &tenant.post("/plugins/idle/versions/1/backtest", &with("plugin", Value::Null)).await,
        422,
        "/integration",
    );
    for path in ["/plugins/mine/versions/3/backtest", "/plugins/nobody/versions/1/backtest"] {
        problem(&tenant.post(path, &json!({"integration": good, "last": 1})).await, 404, "-");
    }
    let integration = tenant.integration("https://example.org/", json!({})).await;
    two_versions(&other).await;
    problem(
        &other.post(TOLD, &json!({"integration": integration, "last": 1})).await,
        422,
        "/integration",
    );
    let reader = host
        .operator
        .post("/keys", &json!({"role": "read", "organization": "contractfit1"}))
        .await
        .expect(201);
    let reader = tenant.with_key(text(&reader, "/key"));
    problem(&reader.post(TOLD, &json!({"integration": good, "last": 1})).await, 403, "-");
    let named = json!({"integration": good, "last": 1, "organization": "contractfit1"});
    assert_eq!(summary(&host.operator.post(TOLD, &named).await)["compared"], 0);
    let unsaid = json!({"integration": good});
    assert_eq!(summary(&tenant.post(TOLD, &unsaid).await)["compared"], 0);
}
