//! After a crash: what was begun under the first version goes on under it.

use std::collections::{BTreeSet, HashMap};

use hookmill_domain::ids::EventId;
use serde_json::{Value, json};

use super::{frozen, version};
use crate::parts::client::Client;
use crate::parts::components::{probe, wasi, wat};
use crate::parts::host::{Host, text};
use crate::parts::receiver::{Received, Receiver, Reply};

/// Accepted under the first version; then everything that can be changed is, and the host is killed. `reply` is what the first receiver
/// answers; `again` makes the started host send again.
async fn first_version_is_sent_again(reply: Reply, again: impl AsyncFn(&Client, &str)) {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (before, after) = (Receiver::answering(move |_| reply.clone()).await, Receiver::start().await);
    tenant.plugin("label", wat("label", "one")).await;
    tenant.plugin("probe", probe()).await;
    let targets = |receiver: &Receiver, value: &str| {
        json!({
            "target": receiver.url("/target"), "headers": {"X-Value": value},
            "targets": {"other": {"target": receiver.url("/target"), "headers": {"X-Value": value}}},
        })
    };
    // No retry comes by itself before the kill.
    let more = |plugin: &str, config: Value| {
        let mut more = targets(&before, "old");
        more["plugin"] = json!(plugin);
        more["plugin_config"] = config;
        more["retry"] = json!({"delays_ms": [3_600_000]});
        more["timeout_ms"] = json!(60_000);
        more
    };
    let labelled = tenant.integration(&before.url("/target"), more("label", Value::Null)).await;
    let probing = tenant.integration(&before.url("/target"), more("probe", version(1))).await;
    let event = tenant.text_event("5e7a").await;
    let first = frozen(&before.wait_for(3).await);
    assert_eq!(first.len(), 3, "each has an id of its own");
    again(&tenant, &event).await;

    assert_eq!(tenant.plugin("label", wat("label", "two")).await["version"], 2);
    for integration in [&labelled, &probing] {
        let mut change = targets(&after, "new");
        change["headers"]["X-Further"] = json!("yes");
        if integration == &probing {
            change["plugin_config"] = version(2);
        }
        tenant.patch(&format!("/integrations/{integration}"), &change).await.expect(200);
    }
    host.kill();
    host.start_again();
    let tenant = Client {
        address: host.operator.address,
        ..tenant
    };
    for run in tenant.get(&format!("/events/{event}")).await.expect(200)["runs"]
        .as_array()
        .expect("a list")
    {
        for delivery in run["deliveries"].as_array().into_iter().flatten() {
            tenant
                .call("POST", &format!("/deliveries/{}/retry", text(delivery, "/id")), "")
                .await;
        }
    }
    let received = after.wait_for(3).await;
    assert_eq!(frozen(&received), first);
    assert!(
        received.iter().all(|got| got.header("x-value") == "new"),
        "targets are read live: {received:?}"
    );
    assert_eq!(received.iter().filter(|got| got.header("x-further") == "yes").count(), 2);
    let settled = tenant.settled(&event).await;
    for run in settled["runs"].as_array().expect("a list") {
        assert_eq!(
            (text(run, "/state"), &run["generation"], &run["plugin"]["version"]),
            ("done", &json!(0), &json!(1))
        );
        for delivery in run["deliveries"].as_array().expect("a list") {
            assert!(
                first.contains_key(text(delivery, "/id")) && delivery["state"] == "delivered",
                "{delivery}"
            );
        }
    }

    // A new event has it all new.
    tenant.text_event("5e7b").await;
    let newer = frozen(&after.wait_for(6).await[3..]);
    let newer: String = newer.into_values().collect();
    assert!(
        newer.contains(r#"\"label\": \"two\""#) && newer.contains("/v2") && newer.contains("version 2"),
        "{newer}"
    );
    assert!(!newer.contains("one") && !newer.contains("/v1"), "{newer}");
    assert_eq!((before.received().len(), after.received().len()), (3, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_sent_again_as_it_was() {
    let waits = async |tenant: &Client, event: &str| {
        let is_waiting = |delivery: &Value| delivery["state"] == "waiting";
        let all = |run: &Value| {
            run["deliveries"]
                .as_array()
                .is_some_and(|all| !all.is_empty() && all.iter().all(is_waiting))
        };
        tenant
            .event_when(event, |event| event["runs"].as_array().is_some_and(|runs| runs.iter().all(all)))
            .await;
    };
    first_version_is_sent_again(Reply::Status(500), waits).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_outcome_is_made_again_as_it_was() {
    let nothing_is_recorded = async |tenant: &Client, event: &str| {
        let event = tenant.get(&format!("/events/{event}")).await.expect(200);
        assert!(
            event["runs"]
                .as_array()
                .expect("a list")
                .iter()
                .all(|run| run["state"] == "pending"),
            "{event}"
        );
    };
    first_version_is_sent_again(Reply::Hang, nothing_is_recorded).await;
}

/// Of a run with two requests one was answered before the crash: that one is not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_its_outcome_is_not_made_again() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let default = Receiver::start().await;
    let other = Receiver::answering(|got| if got.number == 0 { Reply::Hang } else { Reply::Status(200) }).await;
    tenant.plugin("probe", probe()).await;
    let more = json!({"plugin": "probe", "plugin_config": version(1), "targets": {"other": {"target": other.url("/target")}}, "timeout_ms": 60_000});
    tenant.integration(&default.url("/target"), more).await;
    let event = tenant.text_event("5e7a").await;
    let first = other.wait_for(1).await.remove(0);
    let is_delivered = |event: &Value| event["runs"][0]["deliveries"][0]["state"] == "delivered";
    tenant.event_when(&event, is_delivered).await;
    host.kill();
    host.start_again();
    let tenant = Client {
        address: host.operator.address,
        ..tenant
    };
    tenant.settled(&event).await;
    let again = other.wait_for(2).await.remove(1);
    assert_eq!(frozen(&[again]), frozen(&[first]));
    assert_eq!((default.received().len(), other.received().len()), (1, 2));
}

/// What waits on disk before its plugin was called keeps its version too, until somebody orders it anew.
#[tokio::test(flavor = "multi_thread")]
async fn queued_runs_keep_their_version_unless_they_are_resumed() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("label", wat("label", "one")).await;
    let more = json!({"plugin": "label", "paused": true});
    let kept = tenant.integration(&receiver.url("/kept"), more.clone()).await;
    let resumed = tenant.integration(&receiver.url("/resumed"), more).await;
    let event = tenant.text_event("5e7a").await;
    let queued = tenant.get(&format!("/events/{event}")).await.expect(200);
    for run in queued["runs"].as_array().expect("a list") {
        assert_eq!((text(run, "/state"), text(run, "/held")), ("queued", "paused"));
    }
    tenant.plugin("label", wat("label", "two")).await;
    tenant
        .call("POST", &format!("/integrations/{resumed}/resume"), "")
        .await
        .expect(202);
    tenant
        .event_when(&event, |event| event["runs"].as_array().is_some_and(|runs| runs.len() == 3))
        .await;
    for integration in [&kept, &resumed] {
        tenant
            .patch(&format!("/integrations/{integration}"), &json!({"paused": false}))
            .await
            .expect(200);
    }
    let settled = tenant.settled(&event).await;
    let mut shown: Vec<String> = receiver
        .wait_for(2)
        .await
        .iter()
        .map(|got| format!("{} {:?}", got.path, got.body))
        .collect();
    shown.sort();
    let body = |label: &str| format!(r#"b"{{\"label\": \"{label}\", \"event\": \"{event}\"}}""#);
    assert_eq!(shown, [format!("/kept {}", body("one")), format!("/resumed {}", body("two"))]);
    let states: Vec<(&str, u64, u64)> = settled["runs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|run| {
            let number = |pointer: &str| run.pointer(pointer).and_then(Value::as_u64).expect("a number");
            (text(run, "/state"), number("/generation"), number("/plugin/version"))
        })
        .collect();
    for wanted in [("done", 0, 1), ("resumed", 0, 1), ("done", 1, 2)] {
        assert!(states.contains(&wanted), "{states:?}");
    }
}

/// The clock stands at the event's acceptance, moves on by sleeping, and random numbers are the event's own; a crash changes neither.
#[tokio::test(flavor = "multi_thread")]
async fn clock_and_chance_are_the_events_own() {
    let mut host = Host::start();
    let receiver = Receiver::answering(|got| if got.number < 2 { Reply::Hang } else { Reply::Status(200) }).await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("wasi", wasi()).await;
    tenant
        .integration(
            &receiver.url("/"),
            json!({"plugin": "wasi", "plugin_config": {}, "timeout_ms": 60_000}),
        )
        .await;
    let (mut events, mut accepted) = (Vec::new(), Vec::new());
    for document in ["1", "2"] {
        let event = tenant.text_event(document).await;
        let shown = tenant.get(&format!("/events/{event}")).await.expect(200);
        let (key, _) = event.parse::<EventId>().expect("an id").parts().expect("this house's");
        assert_eq!(text(&shown, "/accepted_at"), key.time().to_string());
        accepted.push(key.time());
        events.push(event);
    }
    let first = receiver.wait_for(2).await;
    host.kill();
    host.start_again();
    let again = receiver.wait_for(4).await[2..].to_vec();
    assert_eq!(frozen(&again), frozen(&first));

    let bodies: Vec<Value> = first.iter().map(|got| serde_json::from_slice(&got.body).expect("JSON")).collect();
    for at in &accepted {
        let wall = json!([at.millis() / 1000, at.millis() % 1000 * 1_000_000]);
        let body = bodies
            .iter()
            .find(|body| body["wall"] == wall)
            .unwrap_or_else(|| panic!("no clock stood at {at}: {bodies:?}"));
        assert_eq!(
            body["wall_after_an_hour"],
            json!([at.millis() / 1000 + 3600, at.millis() % 1000 * 1_000_000])
        );
        assert_eq!(body["monotonic_hour_ns"], 3_600_000_000_000_u64);
        assert_eq!(
            (&body["environment"], &body["arguments"], &body["folders"]),
            (&json!([]), &json!([]), &json!(0))
        );
    }
    let tenant = Client {
        address: host.operator.address,
        ..tenant
    };
    for event in &events {
        let run = tenant.settled(event).await["runs"][0].clone();
        assert_eq!(run["log"], json!(["stdout: said on stdout", "stderr: said on stderr"]), "{run}");
    }
    for chance in ["random", "random_number", "insecure", "insecure_seed"] {
        assert_ne!(bodies[0][chance], bodies[1][chance], "two events have the same {chance}");
    }
}

/// Versions are activated while events pour in: each event is run by the one that it was accepted under, and by no other.
#[tokio::test(flavor = "multi_thread")]
async fn each_event_has_the_version_that_it_was_accepted_under() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("own", wat("label", "1")).await;
    host.operator.plugin("hosts", wat("label", "1")).await;
    tenant.integration(&receiver.url("/own"), json!({"plugin": "own"})).await;
    tenant.integration(&receiver.url("/hosts"), json!({"plugin": "hosts"})).await;
    let mut posting = tokio::task::JoinSet::new();
    for number in 0..4 {
        let tenant = tenant.clone();
        posting.spawn(async move {
            let mut events = Vec::new();
            for count in 0..100 {
                events.push(tenant.text_event(&format!("{number}-{count}")).await);
            }
            events
        });
    }
    let mut events = Vec::new();
    let (mut versions, mut count) = (BTreeSet::new(), 0);
    while !posting.is_empty() {
        count += 1;
        // Back and forth between two of them.
        let label = if count % 2 == 0 { "1" } else { "2" };
        versions.insert(tenant.plugin("own", wat("label", label)).await["version"].to_string());
        host.operator.plugin("hosts", wat("label", label)).await;
        while let Some(posted) = posting.try_join_next() {
            events.extend(posted.expect("no poster panics"));
        }
    }
    assert!(count > 2 && versions.len() == 2, "{count} activations");
    let received = receiver.wait_for(800).await;
    assert_eq!(received.len(), 800);
    let bodies: HashMap<&str, &Received> = received.iter().map(|got| (got.id(), got)).collect();
    for event in &events {
        let event = tenant.settled(event).await;
        for run in event["runs"].as_array().expect("a list") {
            let got = bodies[text(run, "/deliveries/0/id")];
            let body = format!(r#"{{"label": "{}", "event": "{}"}}"#, run["plugin"]["version"], text(&event, "/id"));
            assert_eq!(got.body, body, "{run}");
        }
    }
}
