//! `hookmill plugin push`: uploads to a real host.

use std::process::Command;

use bytes::Bytes;
use serde_json::json;

use super::{Files, Said, command};
use crate::parts::client::Client;
use crate::parts::components::wat;
use crate::parts::host::{Host, Options, text};
use crate::parts::receiver::{Receiver, Reply};

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
async fn a_version_that_was_to_be_active_and_is_not_is_no_success() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let name = ["--name", "label"];
    pushed(&tenant, &wat("label", "any"), &name).await.expect(0);
    let config = json!({"plugin": "label", "plugin_config": {"a": "x"}});
    let integration = tenant.integration("http://127.0.0.1:9/", config).await;
    let schema = json!({"type": ["object", "null"], "properties": {"a": {"type": "number"}}});
    let strict = wat("schema", &schema.to_string());
    // The bytes are new at the first time alone.
    for (more, code, begins) in [
        (&[][..], 1, "label version 2: new, not active\n"),
        (&[], 1, "label version 2: these bytes were there already, not active\n"),
        (
            &["--no-activate"],
            0,
            "label version 2: these bytes were there already, not active\n",
        ),
    ] {
        let said = pushed(&tenant, &strict, &[&name[..], more].concat()).await;
        let lines = said.expect(code);
        assert!(lines.starts_with(begins), "{lines}");
        let why = [
            &*integration,
            "contractfit1",
            "/plugin_config/a: ",
            "number",
            "it was not activated",
        ];
        assert_eq!(why.map(|why| lines.contains(why)), [code == 1; 5], "{lines}");
    }
    tenant
        .patch(&format!("/integrations/{integration}"), &json!({"plugin_config": {"a": 1}}))
        .await
        .expect(200);
    assert!(pushed(&tenant, &strict, &name).await.expect(0).contains(", active\n"));
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

/// Whoever answers at the URL has no say over the terminal.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_says_is_no_command_to_the_terminal() {
    for (status, document) in [
        (422, json!({"detail": "a\u{1b}[2Jb", "code": "\u{202e}c"})),
        (
            201,
            json!({"name": "a\u{1b}[2Jb", "version": 1, "digest": "\u{202e}", "active": true, "new": true, "waiting": 0}),
        ),
        (200, json!({"\u{1b}[2J": true})),
    ] {
        let body = Bytes::from(document.to_string());
        let receiver = Receiver::answering(move |_| Reply::Full(status, Vec::new(), body.clone())).await;
        let client = Client {
            address: receiver.address,
            key: "k".to_owned(),
        };
        let said = pushed(&client, &wat("label", "one"), &["--name", "label"]).await;
        assert_eq!(receiver.received().len(), 1, "{said:?}");
        let all = format!("{}{}", said.out, said.err);
        assert!(!all.contains(['\u{1b}', '\u{202e}']), "{all}");
        if status != 200 {
            assert!(all.contains(r"a\u{1b}[2Jb") && all.contains(r"\u{202e}"), "{all}");
        }
    }
}

/// A file names the host and the key; the environment stands over it, and flags over that. No message shows a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_names_the_host_and_the_key() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let files = Files::new();
    let component = files.write("component.wasm", wat("label", "one"));
    let push = async |file: &str, arguments: &[&str], environment: &[(&str, &str)]| {
        let file = files.write("hookmill.toml", file);
        let mut command = command(["push".as_ref(), component.as_os_str(), "--config".as_ref(), file.as_os_str()]);
        command.args(["--name", "label"]).args(arguments);
        command.envs(environment.iter().copied());
        ended(command).await
    };
    let client = |url: &str, key: &str| format!("[client]\nurl = \"{url}\"\nkey = {key}\n");
    let (nowhere, nobody) = ("http://127.0.0.1:1", "key-of-nobody");
    let (url, key) = (format!("http://{}", host.operator.address), format!("\"{}\"", tenant.key));
    push(&client(&url, &key), &[], &[]).await.expect(0);
    let right = [("HOOKMILL_URL", &*url), ("HOOKMILL_KEY", &*tenant.key)];
    push(&client(nowhere, "\"key-of-nobody\""), &[], &right).await.expect(0);
    let wrong = [("HOOKMILL_URL", nowhere), ("HOOKMILL_KEY", nobody)];
    push("", &["--url", &url, "--key", &tenant.key], &wrong).await.expect(0);
    for (file, says) in [
        (client(&url, "\"key-of-nobody\""), "401"),
        (client(&url, "\"key-of-nobody \u{f6}\""), "the key can not be sent"),
        (client(&url, "[\"key-of-nobody\"]"), "client.key: must be text"),
        (client(&url, "4711"), "client.key: must be text"),
        (client(&url, "key-of-nobody"), "TOML"),
        (client("ftp://a", &key), "client.url"),
        (format!("[client]\nurl = \"{url}\"\n"), "there is no API key"),
        (format!("{}keys = 1\n", client(&url, &key)), "client.keys"),
    ] {
        let said = push(&file, &[], &[]).await;
        assert_eq!(said.expect(1), "", "{file}");
        assert!(said.err.contains(says), "{says}: {}", said.err);
        assert!(!said.err.contains(nobody) && !said.err.contains("4711"), "{}", said.err);
        assert!(!said.err.contains(&tenant.key), "{}", said.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_empty_is_not_set() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let files = Files::new();
    let component = files.write("component.wasm", wat("label", "one"));
    let push = || {
        let mut command = command(["push".as_ref(), component.as_os_str()]);
        command.args(["--name", "label"]);
        command.env("HOOKMILL_URL", "").env("HOOKMILL_KEY", "").env("HOOKMILL_CONFIG", "");
        command
    };
    let said = ended(push()).await;
    assert_eq!(said.expect(1), "");
    assert!(said.err.contains("there is no API key: HOOKMILL_KEY"), "{}", said.err);
    let text = format!("[client]\nurl = \"http://{}\"\nkey = \"{}\"\n", host.operator.address, tenant.key);
    let mut command = push();
    command.arg("--config").arg(files.write("hookmill.toml", text));
    ended(command).await.expect(0);
    let mut command = push();
    command.args(["--key", "k", "--url", "ftp://a"]);
    let said = ended(command).await;
    assert!(
        said.expect(1).is_empty() && said.err.contains("`ftp://a` is no URL of a host"),
        "{}",
        said.err
    );
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
