//! The same event, revision and version give the same bytes: in another process, in another folder, and compiled anew; with all in them that
//! could float.

use std::collections::BTreeMap;

use hookmill_domain::ids::EventId;
use serde_json::{Value, json};

use super::host;
use crate::parts::client::Client;
use crate::parts::host::{Host, Options, copy, text};
use crate::parts::receiver::Receiver;

const GUESTS: [&str; 6] = ["rust", "rust-wasi", "quickjs", "starlingmonkey", "python", "c"];

/// The requests of one process by their ids: where each went, and its body.
type Sent = BTreeMap<String, (String, String)>;

#[tokio::test(flavor = "multi_thread")]
async fn every_language_makes_equal_bytes_in_every_process() {
    let receiver = Receiver::start().await;
    let (mut first, tenant, folder) = host().await;
    let mut integrations = Vec::new();
    for guest in GUESTS {
        let more = json!({"plugin": guest, "plugin_config": {"do": "chance"}, "paused": true});
        integrations.push(tenant.integration(&receiver.url(&format!("/{guest}")), more).await);
    }
    let events = [tenant.text_event("1").await, tenant.text_event("2").await];
    first.kill();
    let others = tempfile::tempdir().expect("a temporary folder");
    let [second, anew] = ["second", "anew"].map(|name| others.path().join(name));
    copy(folder.path(), &second);
    copy(folder.path(), &anew);
    std::fs::remove_dir_all(anew.join("artifacts")).expect("compiled code is there");

    first.start_again();
    let sent = delivered(&first, &tenant, &receiver, &integrations).await;
    drop(first);
    let second = Host::open(&second, Options::default());
    assert_eq!(delivered(&second, &tenant, &receiver, &integrations).await, sent);
    drop(second);

    // One that has no compiled code, and has to make it again.
    let anew = Host::open(&anew, Options::default());
    let tenant = tenant.with_host(&anew);
    for (guest, integration) in GUESTS.into_iter().zip(&integrations) {
        let mut made = Vec::new();
        for event in &events {
            let body = json!({"event": event, "integration": integration});
            let shown = tenant.post(&format!("/plugins/{guest}/versions/1/run"), &body).await.expect(200);
            made.push(text(&shown, "/requests/0/body").to_owned());
        }
        let mut before = bodies(&sent, guest);
        made.sort();
        before.sort();
        assert_eq!(made, before, "{guest}");
    }
    what_could_float_is_in_them(&sent, &events);
}

/// What a guest sent.
fn bodies(sent: &Sent, guest: &str) -> Vec<String> {
    let of_guest = sent.values().filter(|(path, _)| path[1..] == *guest);
    of_guest.map(|(_, body)| body.clone()).collect()
}

/// Clocks that stand at the events' acceptance, random numbers of their own, NaNs of one shape.
fn what_could_float_is_in_them(sent: &Sent, events: &[String]) {
    let accepted = |event: &String| {
        let (key, _) = event.parse::<EventId>().expect("an id").parts().expect("this house's");
        key.time().millis()
    };
    let mut accepted: Vec<i64> = events.iter().map(accepted).collect();
    accepted.sort_unstable();
    let read = |guest: &str| -> Vec<Value> {
        let bodies = bodies(sent, guest);
        bodies.iter().map(|body| serde_json::from_str(body).expect("JSON")).collect()
    };
    let nan_in_bytes = json!([0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);
    for (guest, is_seeded, nan) in [
        ("quickjs", false, &nan_in_bytes),
        ("starlingmonkey", true, &nan_in_bytes),
        ("python", true, &json!("000000000000f87f")),
        ("c", true, &json!("7ff8000000000000")),
    ] {
        let bodies = read(guest);
        let mut clocks: Vec<i64> = bodies.iter().filter_map(|body| body["clock"].as_i64()).collect();
        clocks.sort_unstable();
        assert_eq!(clocks, accepted, "{guest}: {bodies:?}");
        assert_eq!(bodies[0]["secure"] != bodies[1]["secure"], is_seeded, "{guest}: {bodies:?}");
        for same in ["nan", "floats", "order"] {
            assert_eq!(bodies[0][same], bodies[1][same], "{guest}");
        }
        assert_eq!(&bodies[0]["nan"][0], nan, "{guest}");
    }
    assert!(read("rust").iter().all(|body| body["nan_bits"] == 0x7ff8_0000_0000_0000_u64));
}

/// What comes of both events in this process: where each request went, and its body, by its id.
async fn delivered(host: &Host, tenant: &Client, receiver: &Receiver, integrations: &[String]) -> Sent {
    let tenant = tenant.with_host(host);
    let seen = receiver.received().len();
    for integration in integrations {
        tenant
            .patch(&format!("/integrations/{integration}"), &json!({"paused": false}))
            .await
            .expect(200);
    }
    let received = receiver.wait_for(seen + 2 * GUESTS.len()).await;
    let told = received[seen..].iter().map(|got| {
        let body = String::from_utf8(got.body.to_vec()).expect("JSON");
        (got.id().to_owned(), (got.path.clone(), body))
    });
    told.collect()
}
