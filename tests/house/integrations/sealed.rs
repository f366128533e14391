//! What goes in and never comes out.

use std::collections::BTreeSet;

use serde_json::json;

use crate::parts::client::Client;
use crate::parts::host::{Host, text};
use crate::parts::looks::problem;
use crate::parts::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn a_masked_value_stays_what_it_is() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let headers = json!({"headers": {"Authorization": "Bearer first", "X-Team": "blue"}});
    let id = tenant.integration(&receiver.url("/"), headers).await;
    let path = format!("/integrations/{id}");
    let sent = async || {
        let number = receiver.received().len();
        tenant.text_event("d").await;
        let got = receiver.wait_for(number + 1).await.remove(number);
        ["authorization", "x-team", "x-more"].map(|name| got.header(name).to_owned())
    };
    assert_eq!(sent().await, ["Bearer first", "blue", ""]);
    let shown = tenant.get(&path).await.expect(200);
    assert_eq!(shown["headers"], json!({"authorization": "***", "x-team": "***"}));
    tenant.patch(&path, &shown).await.expect(200);
    assert_eq!(sent().await, ["Bearer first", "blue", ""]);
    tenant
        .patch(&path, &json!({"headers": {"AUTHORIZATION": "***", "x-team": "red", "X-More": "m"}}))
        .await
        .expect(200);
    assert_eq!(sent().await, ["Bearer first", "red", "m"]);
    tenant
        .patch(&path, &json!({"header": {"X-More": null, "authorization": "Bearer second"}}))
        .await
        .expect(200);
    assert_eq!(sent().await, ["Bearer second", "red", ""]);
    tenant.patch(&path, &json!({"headers": null})).await.expect(200);
    assert_eq!(sent().await, ["", "", ""]);
}

/// Base64 by RFC 4648, for a test that looks for bytes in every dress.
fn base64_decoded(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for sign in text.bytes().filter(|sign| *sign != b'=') {
        held = held << 6 | ALPHABET.iter().position(|known| *known == sign).expect("base64") as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_can_be_read_nowhere() {
    const VALUES: [&str; 3] = [
        "Bearer the-header-value-of-the-default",
        "the-header-value-of-the-named-one",
        "the-value-that-came-later",
    ];
    let mut host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let echo = |value: &str| Reply::Full(500, Vec::new(), format!("you sent {value}, and I show it").into());
    let receiver = Receiver::answering(move |got| echo(got.header("authorization"))).await;
    let more = json!({
        "headers": {"Authorization": VALUES[0]}, "targets": {"review": {"target": receiver.url("/r"), "headers": {"X-Key": VALUES[1]}}}
    });
    let id = tenant.integration(&receiver.url("/"), more).await;
    let path = format!("/integrations/{id}");
    let secret = tenant.get(&format!("{path}/secret")).await;
    assert_eq!(secret.headers["cache-control"], "no-store");
    let secret = text(&secret.expect(200), "/secret").to_owned();
    let in_base64 = secret.strip_prefix("whsec_").expect("as the specification writes it").to_owned();
    let bytes = base64_decoded(&in_base64);
    assert!((24..=64).contains(&bytes.len()), "{} bytes", bytes.len());
    assert_eq!(
        text(&tenant.get(&format!("{path}/secret/")).await.expect(200), "/secret"),
        secret,
        "it stays the same"
    );

    // Seen by everything that is answered, and everything that fails.
    let event = tenant.text_event("d").await;
    tenant
        .event_when(&event, |event| event["runs"][0]["deliveries"][0]["state"] == "waiting")
        .await;
    assert_eq!(receiver.received()[0].header("authorization"), VALUES[0]);
    let patched = tenant.patch(&path, &json!({"headers": {"X-Later": VALUES[2]}})).await;
    let told = problem(
        &tenant.patch(&path, &json!({"headers": {"Host": VALUES[2]}})).await,
        422,
        "/headers/Host",
    );
    let mut answers = vec![patched.expect(200), told];
    let event = tenant.get(&format!("/events/{event}")).await.expect(200);
    let delivery = text(&event, "/runs/0/deliveries/0/id").to_owned();
    for path in [
        path.as_str(),
        "/integrations",
        "/runs",
        "/deliveries",
        "/keys",
        &format!("/deliveries/{delivery}/attempts"),
    ] {
        answers.push(tenant.get(path).await.expect(200));
    }
    answers.push(event);
    let attempts = answers.iter().find_map(|answer| answer.pointer("/items/0/response"));
    assert_eq!(attempts, Some(&json!("you sent ***, and I show it")));
    for answer in &answers {
        let answer = answer.to_string();
        for sealed in VALUES.iter().copied().chain([secret.as_str(), in_base64.as_str()]) {
            assert!(!answer.contains(sealed), "{answer}");
        }
    }

    // On disk: while it runs, after a kill, and after an orderly end.
    let look = |host: &Host, when: &str| {
        let files = std::fs::read_dir(host.folder())
            .expect("the folder is there")
            .map(|file| file.expect("a file").path());
        let mut names = BTreeSet::new();
        for file in files.filter(|file| file.is_file()) {
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .expect("its name is text")
                .to_owned();
            let content = std::fs::read(&file).expect("it is read");
            for sealed in VALUES
                .map(str::as_bytes)
                .into_iter()
                .chain([in_base64.as_bytes(), bytes.as_slice()])
            {
                let found = content.windows(sealed.len()).any(|window| window == sealed);
                assert!(!found, "{when}: {} stands in {name}", String::from_utf8_lossy(sealed));
            }
            // What is not sealed stands there, or this test looks in the wrong place.
            let is_database = content.windows(id.len()).len() > 0 && content.windows(12).any(|window| window == b"contractfit1");
            if is_database {
                names.insert(name);
            }
        }
        assert!(names.iter().any(|name| name.starts_with("hookmill.db")), "{when}: {names:?}");
    };
    look(&host, "while it runs");
    host.kill();
    look(&host, "after a kill");
    host.start_again();
    let tenant = Client {
        address: host.operator.address,
        ..tenant
    };
    assert_eq!(
        text(&tenant.get(&format!("{path}/secret")).await.expect(200), "/secret"),
        secret,
        "it opens again"
    );
    tenant.delete(&path).await.expect(204);
    problem(&tenant.get(&format!("{path}/secret")).await, 404, "-");
    assert!(host.terminate().success());
    look(&host, "after its end");
}
