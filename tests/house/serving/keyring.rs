//! The keyring: where it stands, that no host starts with another's, and that losing a key stops no other.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::moved;
use crate::parts::host::{Host, Options, command, text};
use crate::parts::looks::ended;
use crate::parts::receiver::Receiver;

const OTHER_KEY: &str = "MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// Replaces the host's key by another, as its operator has to say. Gives the lines of both.
fn lose(host: &Host) -> (String, String) {
    let keyring = host.folder().join("keyring");
    let lost = std::fs::read_to_string(&keyring).expect("it is read").trim().to_owned();
    let other = format!("0000000b:{OTHER_KEY}");
    let id = &lost[..8];
    std::fs::write(&keyring, format!("{other}\n{id}:{OTHER_KEY}\n")).expect("written");
    (lost, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_host_starts_without_what_its_database_was_sealed_with() {
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/"), json!({"headers": {"X": "y"}})).await;
    let keyring = host.folder().join("keyring");
    let ring = std::fs::read_to_string(&keyring).expect("it is read");
    host.kill();
    let refused = async |options: &Options| {
        let (status, said) = ended(command(host.folder(), options)).await;
        assert!(!status.success());
        said
    };
    std::fs::remove_file(&keyring).expect("removed");
    let said = refused(&Options::default()).await;
    assert!(
        said.contains("keyring") && said.contains("is not there") && said.contains(&ring[..8]),
        "{said}"
    );
    assert!(!keyring.exists(), "none is made in its place");
    let strange = format!("0000000b:{OTHER_KEY}");
    std::fs::write(&keyring, &strange).expect("written");
    let said = refused(&Options::default()).await;
    assert!(said.contains(&ring[..8]), "the key that is missing is named: {said}");
    let said = refused(&Options::default().with("KEYRING", &strange)).await;
    assert!(said.contains("HOOKMILL_KEYRING") && said.contains(&ring[..8]), "{said}");

    std::fs::write(&keyring, ring).expect("written");
    host.start_again();
    moved(&tenant, &host).text_event("d").await;
    assert_eq!(receiver.wait_for(1).await[0].header("x"), "y");
}

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
    lose(&host);
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
    lose(&host);
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
    let (first, second) = lose(&host);
    host.start_again();
    let event = moved(&tenant, &host).text_event("d").await;
    host.kill();
    // A ring of both: the first seals, each opens what it sealed.
    std::fs::write(&keyring, format!("{second}\n{first}\n")).expect("written");
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
