//! After the fault: what was parked, resumed under a good version; and the stop after ten faults in a row.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Scene;
use crate::parts::calls::one;
use crate::parts::client::Client;
use crate::parts::components::wat;
use crate::parts::host::{Host, text};
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn a_good_version_delivers_what_was_parked_when_somebody_says_so() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("mine", wat("trap", "")).await;
    let integration = tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
    let mut events = Vec::new();
    for number in 0..3 {
        let event = tenant.text_event(&number.to_string()).await;
        assert_eq!(text(&tenant.run_of(&event).await, "/code"), "trap");
        events.push(event);
    }
    assert_eq!(tenant.plugin("mine", wat("label", "good")).await["waiting"], 3);
    let fresh = tenant.text_event("after").await;
    tenant.settled(&fresh).await;
    assert_eq!(receiver.received().len(), 1, "a new version resumes nothing by itself");

    // One run.
    let parked = tenant.run_of(&events[1]).await;
    let resume = format!("/runs/{}/resume", text(&parked, "/id"));
    let next = tenant.call("POST", &resume, "").await;
    assert_eq!(next.headers["location"], format!("/runs/{}", text(&next.json(), "/id")));
    let next = text(&next.expect(202), "/id").to_owned();
    let check = |event: &Value, next: Option<&str>| {
        let [old, new] = [0, 1].map(|generation| one(&event["runs"], |run| run["generation"] == generation));
        assert_eq!(
            (text(old, "/state"), text(old, "/code"), &old["plugin"]["version"]),
            ("resumed", "trap", &json!(1)),
            "{event}"
        );
        assert_eq!(
            (text(new, "/state"), &new["plugin"]["version"], text(new, "/deliveries/0/state")),
            ("done", &json!(2), "delivered")
        );
        assert_ne!(old["id"], new["id"]);
        assert!(next.is_none_or(|next| text(new, "/id") == next));
        text(new, "/deliveries/0/id").to_owned()
    };
    let mut deliveries = vec![check(&tenant.settled(&events[1]).await, Some(&next))];
    for other in [&events[0], &events[2]] {
        assert_eq!(
            text(&tenant.run_of(other).await, "/state"),
            "parked",
            "one was resumed, and no other"
        );
    }
    let again = tenant.call("POST", &resume, "").await;
    assert_eq!(
        (again.status.as_u16(), text(&again.json(), "/detail").contains("resumed")),
        (409, true),
        "{again:?}"
    );
    let done = tenant.call("POST", &format!("/runs/{next}/resume"), "").await;
    assert_eq!(
        (done.status.as_u16(), text(&done.json(), "/detail").contains("done")),
        (409, true),
        "{done:?}"
    );

    // All of the integration.
    tenant
        .call("POST", &format!("/integrations/{integration}/resume"), "")
        .await
        .expect(202);
    for event in [&events[0], &events[2]] {
        deliveries.push(check(&tenant.settled(event).await, None));
    }
    let received = receiver.wait_for(4).await;
    for delivery in &deliveries {
        assert_eq!(received.iter().filter(|got| got.id() == delivery).count(), 1);
    }
    assert_eq!(tenant.plugin("mine", wat("label", "better")).await["waiting"], 0);
    // With nothing to resume it is no error.
    tenant
        .call("POST", &format!("/integrations/{integration}/resume"), "")
        .await
        .expect(202);
    assert_eq!(receiver.received().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_faults_in_a_row_stop_the_calls_until_somebody_acts() {
    let scene = Scene::new().await;
    let (tenant, receiver) = (&scene.attacker, Receiver::start().await);
    tenant.plugin("mine", wat("trap", "")).await;
    let integration = tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
    let stopped = async |by: &Client| by.get(&format!("/integrations/{integration}")).await.expect(200)["stopped"] == json!(true);
    let mut parked = Vec::new();
    for number in 0..10 {
        assert!(!stopped(tenant).await, "after {number} faults");
        let event = tenant.text_event(&number.to_string()).await;
        assert_eq!(text(&tenant.run_of(&event).await, "/state"), "parked");
        parked.push(event);
    }
    tenant
        .when(&format!("/integrations/{integration}"), |found| found["stopped"] == true)
        .await;
    let mut queued = Vec::new();
    for number in 10..13 {
        queued.push(tenant.text_event(&number.to_string()).await);
    }
    let check_queued = async |by: &Client| {
        for event in &queued {
            let run = by.get(&format!("/events/{event}")).await.expect(200)["runs"][0].clone();
            assert_eq!((text(&run, "/state"), text(&run, "/held")), ("queued", "stopped"));
        }
    };
    // By the time that a later event of somebody else has gone its way, these would have.
    let later = scene.bystander.text_event("later").await;
    scene.bystander.settled(&later).await;
    check_queued(tenant).await;
    // An edit is no resume, and neither is a restart.
    tenant
        .patch(&format!("/integrations/{integration}"), &json!({"description": "mine"}))
        .await
        .expect(200);
    tenant.plugin("mine", wat("label", "good")).await;
    let mut host = scene.host;
    host.kill();
    host.start_again();
    let [tenant, bystander] = [tenant, &scene.bystander].map(|client| Client {
        address: host.operator.address,
        ..client.clone()
    });
    let later = bystander.text_event("later still").await;
    bystander.settled(&later).await;
    assert!(stopped(&tenant).await);
    check_queued(&tenant).await;
    assert!(receiver.received().is_empty());

    tenant
        .call("POST", &format!("/integrations/{integration}/resume"), "")
        .await
        .expect(202);
    receiver.wait_for(13).await;
    for event in parked.iter().chain(&queued) {
        let event = tenant.settled(event).await;
        let new = one(&event["runs"], |run| run["generation"] == 1);
        assert_eq!((text(new, "/state"), &new["plugin"]["version"]), ("done", &json!(2)), "{event}");
        assert_eq!(text(one(&event["runs"], |run| run["generation"] == 0), "/state"), "resumed");
    }
    assert!(!stopped(&tenant).await);
    let after = tenant.text_event("after").await;
    assert_eq!(tenant.settled(&after).await["runs"][0]["state"], "done");
    assert_eq!(receiver.received().len(), 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_begins_the_row_of_faults_anew() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.plugin("mine", wat("trap", "")).await;
    let integration = tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
    let path = format!("/integrations/{integration}");
    let fault = async || {
        let event = tenant.text_event("5e7a").await;
        assert_eq!(text(&tenant.run_of(&event).await, "/code"), "trap");
    };
    for _ in 0..9 {
        fault().await;
    }
    tenant.plugin("mine", wat("label", "good")).await;
    let event = tenant.text_event("5e7a").await;
    tenant.settled(&event).await;
    tenant.plugin("mine", wat("trap", "")).await;
    for _ in 0..9 {
        fault().await;
    }
    assert_eq!(tenant.get(&path).await.expect(200)["stopped"], false, "nine in a row are not ten");
    fault().await;
    tenant.when(&path, |found| found["stopped"] == true).await;
    // One run that is resumed ends the stop as well.
    tenant.plugin("mine", wat("label", "good")).await;
    let parked = tenant
        .get(&format!("/runs?state=parked&integration={integration}&limit=1"))
        .await
        .expect(200);
    tenant
        .call("POST", &format!("/runs/{}/resume", text(&parked, "/items/0/id")), "")
        .await
        .expect(202);
    receiver.wait_for(2).await;
    assert_eq!(tenant.get(&path).await.expect(200)["stopped"], false);
    tenant.text_event("5e7a").await;
    receiver.wait_for(3).await;
}

/// Those that are parked, and those that queue behind the stop.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_tells_how_many_runs_wait_for_somebody() {
    let scene = Scene::new().await;
    scene.attacker.plugin("mine", wat("trap", "")).await;
    let integration = scene.attack("mine", &Value::Null).await;
    for number in 0..10 {
        let event = scene.attacker.text_event(&number.to_string()).await;
        assert_eq!(text(&scene.attacker.run_of(&event).await, "/state"), "parked");
    }
    scene
        .attacker
        .when(&format!("/integrations/{integration}"), |found| found["stopped"] == true)
        .await;
    for number in 10..13 {
        scene.attacker.text_event(&number.to_string()).await;
    }
    assert_eq!(scene.attacker.plugin("mine", wat("label", "good")).await["waiting"], 13);
}

/// A resume ends the stop and orders anew what queued behind it: none of it is called under the bad version again, which would park it once
/// more, and stop the integration once more. Many rounds, since it takes a moment's chance.
#[tokio::test(flavor = "multi_thread")]
async fn what_queued_behind_the_stop_is_run_by_the_good_version_alone() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let batch = (0..200).map(|number| json!({"event": "document_text", "data": {"id": number.to_string(), "text": "some text"}}));
    let batch = Value::from_iter(batch);
    for round in 1..=30 {
        tenant.plugin("mine", wat("trap", "")).await;
        let integration = tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
        let path = format!("/integrations/{integration}");
        tenant.post("/events", &batch).await.expect(202);
        tenant.when(&path, |found| found["stopped"] == true).await;
        tenant.plugin("mine", wat("label", "good")).await;
        let resume = async || tenant.call("POST", &format!("{path}/resume"), "").await.expect(202);
        let none = async |state: &str| {
            let open = format!("/runs?state={state}&integration={integration}");
            tenant.when(&open, |open| open["items"] == json!([])).await
        };
        resume().await;
        none("pending").await;
        // A call of the bad version may have been under way then: its run parks after that, and waits for the next one who resumes.
        resume().await;
        for state in ["parked", "queued", "pending"] {
            none(state).await;
        }
        assert_eq!(receiver.wait_for(round * 200).await.len(), round * 200);
        assert_eq!(tenant.get(&path).await.expect(200)["stopped"], false);
        tenant.delete(&path).await.expect(204);
    }
}

/// More than one piece of work for the one who resumes; killed in the midst of it, the next process goes on.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_that_wait_are_resumed_once_each() {
    const EVENTS: usize = 1200;
    for is_killed in [false, true] {
        let mut host = Host::start();
        let tenant = host.organization("contractfit1").await;
        let receiver = Receiver::start().await;
        tenant.plugin("mine", wat("trap", "")).await;
        let integration = tenant.integration(&receiver.url("/"), json!({"plugin": "mine"})).await;
        let mut events = Vec::new();
        for half in [0..EVENTS / 2, EVENTS / 2..EVENTS] {
            let event = |number: usize| json!({"event": "document_text", "data": {"id": number.to_string(), "text": "some text"}});
            let accepted = tenant.post("/events", &Value::from_iter(half.map(event))).await.expect(202);
            let ids = accepted["items"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|item| text(item, "/id").to_owned());
            events.extend(ids);
        }
        tenant
            .when(&format!("/integrations/{integration}"), |found| found["stopped"] == true)
            .await;
        tenant.plugin("mine", wat("label", "good")).await;
        tenant
            .call("POST", &format!("/integrations/{integration}/resume"), "")
            .await
            .expect(202);
        if is_killed {
            host.kill();
            host.start_again();
        }
        let tenant = Client {
            address: host.operator.address,
            ..tenant
        };
        let mut deliveries = BTreeSet::new();
        for event in &events {
            let event = tenant.settled(event).await;
            let done: Vec<&Value> = event["runs"]
                .as_array()
                .expect("a list")
                .iter()
                .filter(|run| run["state"] == "done")
                .collect();
            let [done] = done[..] else {
                panic!("not delivered by one run: {event}")
            };
            assert_eq!(
                (&done["plugin"]["version"], &done["deliveries"][0]["state"]),
                (&json!(2), &json!("delivered")),
                "{event}"
            );
            deliveries.insert(text(done, "/deliveries/0/id").to_owned());
        }
        let received = receiver.wait_for(EVENTS).await;
        let ids: BTreeSet<String> = received.iter().map(|got| got.id().to_owned()).collect();
        assert_eq!(
            (deliveries.len(), ids == deliveries),
            (EVENTS, true),
            "what was sent is what was recorded"
        );
        assert!(is_killed || received.len() == EVENTS, "{} were sent", received.len());
    }
}

/// The host's own fault: the component's bytes are lost, and so is what was compiled of them. Nothing else suffers, and putting them back helps.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_lost_parks_its_runs_as_unavailable() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let plugin = tenant.plugin("mine", wat("label", "mine")).await;
    let integration = tenant.integration(&receiver.url("/mine"), json!({"plugin": "mine"})).await;
    tenant.integration(&receiver.url("/default"), json!({})).await;
    host.kill();
    let database = std::fs::read_dir(host.folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let database = database
        .into_iter()
        .find(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3")));
    let database = rusqlite::Connection::open(database.expect("there is a database")).expect("it opens");
    let digest = text(&plugin, "/digest").to_owned();
    for table in ["component", "component_piece"] {
        let removed = database
            .execute(&format!("DELETE FROM {table} WHERE lower(hex(digest)) = ?1"), [&digest])
            .expect("deleted");
        assert_eq!(removed, 1, "{table}");
    }
    drop(database);
    let artifacts = std::fs::read_dir(host.folder().join("artifacts"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let of_mine: Vec<_> = artifacts.filter(|path| path.to_string_lossy().contains(&digest)).collect();
    assert!(!of_mine.is_empty(), "artifacts are named by their component's digest");
    of_mine.iter().for_each(|path| std::fs::remove_file(path).expect("removed"));
    host.start_again();
    let tenant = Client {
        address: host.operator.address,
        ..tenant
    };

    let event = tenant.text_event("5e7a").await;
    let is_parked = |event: &Value| {
        event["runs"]
            .as_array()
            .is_some_and(|runs| runs.iter().any(|run| run["state"] == "parked"))
    };
    let event = tenant.event_when(&event, is_parked).await;
    let parked = one(&event["runs"], |run| run["integration"] == *integration);
    assert_eq!(text(parked, "/code"), "unavailable");
    assert_eq!(receiver.wait_for(1).await[0].path, "/default");
    tenant.plugin("mine", wat("label", "mine")).await;
    tenant
        .call("POST", &format!("/integrations/{integration}/resume"), "")
        .await
        .expect(202);
    tenant.settled(text(&event, "/id")).await;
    assert_eq!(receiver.wait_for(2).await[1].path, "/mine");
}
