//! Targets that are gone: their receiver says so, or their owner has removed them.

use serde_json::{Value, json};

use super::{ids, two_targets};
use crate::parts::calls::one;
use crate::parts::components::probe;
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_gone_is_disabled_and_what_it_is_owed_is_held() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::answering(|got| Reply::Status(if got.number == 0 { 410 } else { 200 })).await;
    let default = Receiver::start().await;
    let integration = two_targets(&tenant, &default, &receiver).await;
    let path = format!("/integrations/{integration}");
    let first = tenant.text_event("1").await;
    tenant.when(&path, |found| found["targets"]["other"]["gone"] == true).await;
    let held = async |event: &str| {
        let is_held = |delivery: &Value| delivery["target"] == "other" && delivery["held"] == "gone" && delivery["state"] == "pending";
        let is = |event: &Value| event["runs"][0]["deliveries"].as_array().is_some_and(|all| all.iter().any(is_held));
        tenant.event_when(event, is).await
    };
    let event = held(&first).await;
    let delivery = one(&event["runs"][0]["deliveries"], |delivery| delivery["target"] == "other").clone();
    assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!(410), &json!(1)));
    let delivery_path = format!("/deliveries/{}", text(&delivery, "/id"));
    let attempts = tenant.get(&format!("{delivery_path}/attempts")).await.expect(200);
    assert_eq!(
        (text(&attempts, "/items/0/code"), &attempts["items"][0]["status"]),
        ("status", &json!(410))
    );
    let refused = problem(&tenant.call("POST", &format!("{delivery_path}/retry"), "").await, 409, "-");
    assert!(text(&refused, "/detail").contains("gone"), "{refused}");
    // Later ones are held without an attempt, and the other target goes on.
    let second = tenant.text_event("2").await;
    held(&second).await;
    default.wait_for(2).await;
    assert_eq!(receiver.received().len(), 1);
    assert!(
        tenant.get(&path).await.expect(200).get("target_gone").is_none(),
        "the default target is not gone"
    );

    // An edit of something else changes nothing; the target is there again when its owner says so.
    tenant.patch(&path, &json!({"description": "still gone"})).await.expect(200);
    assert_eq!(tenant.get(&path).await.expect(200)["targets"]["other"]["gone"], true);
    let third = tenant.text_event("3").await;
    held(&third).await;
    assert_eq!(receiver.received().len(), 1);
    tenant
        .patch(&path, &json!({"targets": {"other": {"gone": false}}}))
        .await
        .expect(200);
    for event in [&first, &second, &third] {
        tenant.settled(event).await;
    }
    let received = receiver.wait_for(4).await;
    assert_eq!(ids(&received).len(), 3);
    let again = received[1..]
        .iter()
        .find(|got| got.id() == received[0].id())
        .expect("the first is sent again");
    assert_eq!(again.body, received[0].body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_to_a_removed_target_is_held_until_it_is_back() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let (default, other) = (Receiver::start().await, Receiver::start().await);
    let integration = two_targets(&tenant, &default, &other).await;
    let path = format!("/integrations/{integration}");
    tenant.patch(&path, &json!({"paused": true})).await.expect(200);
    let event = tenant.text_event("1").await;
    tenant.patch(&path, &json!({"paused": false, "targets": null})).await.expect(200);
    default.wait_for(1).await;
    let is_held = |delivery: &Value| delivery["target"] == "other" && delivery["held"] == "removed";
    let held = |event: &Value| event["runs"][0]["deliveries"].as_array().is_some_and(|all| all.iter().any(is_held));
    tenant.event_when(&event, held).await;
    // A new event is judged by what there is now.
    let parked = tenant.run_of(&tenant.text_event("2").await).await;
    assert_eq!(
        (text(&parked, "/code"), text(&parked, "/plugin/name")),
        ("invalid_request", "probe")
    );
    tenant
        .patch(&path, &json!({"targets": {"other": {"target": other.url("/back")}}}))
        .await
        .expect(200);
    tenant.settled(&event).await;
    assert_eq!((&*other.wait_for(1).await[0].path, default.received().len()), ("/back", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_of_the_plugins_may_be_gone_without_its_target() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::answering(|got| Reply::Status(if got.path == "/hook/old" { 410 } else { 200 })).await;
    tenant.plugin("probe", probe()).await;
    let requests = json!([{"text": "gone", "path": "/old"}, {"text": "there", "path": "/new"}]);
    let more = json!({"plugin": "probe", "plugin_config": {"do": "deliver", "requests": requests}, "retry": {"delays_ms": []}});
    let integration = tenant.integration(&receiver.url("/hook"), more).await;
    let event = tenant.text_event("1").await;
    let event = tenant.settled(&event).await;
    let states: Vec<&str> = (0..2).map(|at| text(&event["runs"][0]["deliveries"][at], "/state")).collect();
    assert_eq!(states, ["exhausted", "delivered"]);
    let found = tenant.get(&format!("/integrations/{integration}")).await.expect(200);
    assert!(found.get("target_gone").is_none(), "{found}");
}
