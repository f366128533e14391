//! `hookmill plugin push`: uploads to a real host.

use std::process::Command;

use super::{Files, Said, command};
use crate::parts::client::Client;
use crate::parts::components::wat;
use crate::parts::host::{Host, Options, text};

/// Pushes a component by this client's key, which stands in the environment as the host's address does.
async fn pushed(client: &Client, component: &[u8], more: &[&str]) -> Said {
    let files = Files::new();
    let component = files.write("component.wasm", component);
    let mut command = command(["push".as_ref(), component.as_os_str()]);
    command
        .args(more)
        .env("HOOKMILL_URL", format!("http://{}", client.address))
        .env("HOOKMILL_KEY", &client.key);
    ended(command).await
}

async fn ended(mut command: Command) -> Said {
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.expect("it does not panic").expect("the binary starts").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_uploaded() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let name = ["--name", "label"];
    let said = pushed(&tenant, &wat("label", "one"), &name).await;
    assert!(said.expect(0).starts_with("label version 1: new, active\n"), "{}", said.out);
    let said = pushed(&tenant, &wat("label", "two"), &[&name[..], &["--no-activate"]].concat()).await;
    assert!(said.expect(0).starts_with("label version 2: new, not active\n"), "{}", said.out);
    let said = pushed(&tenant, &wat("label", "one"), &name).await;
    assert!(
        said.expect(0)
            .starts_with("label version 1: these bytes were there already, active\n"),
        "{}",
        said.out
    );
    // What was pushed is what an upload finds.
    let again = tenant.upload("name=label", wat("label", "two")).await.expect(200);
    assert_eq!(again["version"], 2);

    let of_operator = [&name[..], &["--organization", "contractfit1"]].concat();
    let said = pushed(&host.operator, &wat("label", "three"), &of_operator).await;
    assert!(said.expect(0).starts_with("label version 3: new, active\n"), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_in_the_words_of_the_host() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let refused = async |client: &Client, component: &[u8], says: &[&str]| {
        let said = pushed(client, component, &["--name", "refused"]).await;
        assert_eq!(said.expect(1), "");
        for says in says {
            assert!(said.err.contains(says), "{says}: {}", said.err);
        }
    };
    let problem = tenant.upload("name=refused", wat("wasi-http", "")).await.expect(422);
    let words = ["422", "import_not_offered", text(&problem, "/detail")];
    refused(&tenant, &wat("wasi-http", ""), &words).await;
    refused(&tenant.with_key("not-a-key-of-this-host"), &wat("label", "one"), &["401"]).await;
    refused(&tenant.with_key("n\u{f6}"), b"", &["the key can not be sent"]).await;
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let nobody = Client {
        address: address.expect("a free port"),
        ..tenant.clone()
    };
    refused(&nobody, &wat("label", "one"), &["connect"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_speaks_tls_to_https() {
    let host = Host::start();
    let files = Files::new();
    let component = files.write("component.wasm", wat("label", "one"));
    let mut command = command(["push".as_ref(), component.as_os_str()]);
    let url = format!("https://{}", host.operator.address);
    command.args(["--name", "label", "--key", "k", "--url", &url]);
    let said = ended(command).await;
    // The host answers a handshake with plain HTTP, and nothing is uploaded in the clear.
    assert_eq!(said.expect(1), "");
    assert!(said.err.contains("(tls)"), "{}", said.err);
}

#[test]
fn a_host_takes_no_notice_of_its_callers_variables() {
    drop(Host::start_with(
        Options::default()
            .with("URL", "http://127.0.0.1:1")
            .with("KEY", "a key of some caller"),
    ));
}
