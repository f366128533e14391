//! The keyring: where it stands, and that losing one stops no other.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::moved;
use crate::parts::host::{Host, Options, command, text};
use crate::parts::looks::ended;
use crate::parts::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_stops_no_other() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/lost"), json!({"headers": {"X": "y"}})).await;
    let keyring = host.folder().join("keyring");
    assert_eq!(
        std::fs::metadata(&keyring).expect("it is there").permissions().mode() & 0o7777,
        0o600
    );
    host.kill();
    std::fs::remove_file(&keyring).expect("removed");
    host.start_again();
    let tenant = moved(&tenant, &host);
    tenant.integration(&receiver.url("/new"), json!({"headers": {"X": "z"}})).await;
    let event = tenant.text_event("d").await;
    let new = receiver.wait_for(1).await.remove(0);
    assert_eq!((new.path.as_str(), new.header("x")), ("/new", "z"));
    let view = tenant.get(&format!("/events/{event}")).await.expect(200);
    assert_eq!(view["state"], "pending", "what can not be sent waits: {view}");
    let lost = tenant.get("/integrations").await.expect(200)["items"].clone();
    assert_eq!(
        lost.as_array().map(Vec::len),
        Some(1),
        "what can not be read does not hide the rest: {lost}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_lost_its_key_can_be_deleted() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let id = tenant.integration("https://a.example", json!({"paused": true})).await;
    let event = tenant.text_event("d").await;
    host.kill();
    std::fs::remove_file(host.folder().join("keyring")).expect("removed");
    host.start_again();
    let tenant = moved(&tenant, &host);
    tenant.delete(&format!("/integrations/{id}")).await.expect(204);
    assert_eq!(tenant.settled(&event).await["runs"][0]["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_back_opens_what_it_sealed() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant
        .integration(&receiver.url("/"), json!({"headers": {"X": "y"}, "paused": true}))
        .await;
    let keyring = host.folder().join("keyring");
    host.kill();
    let first = std::fs::read_to_string(&keyring).expect("it is read");
    std::fs::remove_file(&keyring).expect("removed");
    host.start_again();
    let second = std::fs::read_to_string(&keyring).expect("another is made");
    assert_ne!(first, second);
    let event = moved(&tenant, &host).text_event("d").await;
    host.kill();
    // A ring of both: the first seals, each opens what it sealed.
    std::fs::write(&keyring, format!("{}\n{}\n", second.trim_end(), first.trim_end())).expect("written");
    host.start_again();
    let tenant = moved(&tenant, &host);
    let list = tenant.get("/integrations").await.expect(200);
    let id = text(&list, "/items/0/id");
    tenant
        .patch(&format!("/integrations/{id}"), &json!({"paused": false}))
        .await
        .expect(200);
    tenant.settled(&event).await;
    assert_eq!(receiver.received()[0].header("x"), "y");
    host.kill();
    std::fs::write(&keyring, "nonsense").expect("written");
    let (status, said) = ended(command(host.folder(), &Options::default())).await;
    assert!(!status.success());
    assert!(said.contains("keyring"), "{said}");
}
