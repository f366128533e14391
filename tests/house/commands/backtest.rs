//! `hookmill plugin backtest`: versions compared by a real host.

use serde_json::{Value, json};

use super::{Files, Said, command};
use crate::parts::client::Client;
use crate::parts::components::{PASSTHROUGH, probe};
use crate::parts::host::{Host, text};

/// The plugin `mine`, whose second version does what events tell it and which is not active, and an integration that follows it.
async fn scene(tenant: &Client) -> String {
    tenant.plugin("mine", PASSTHROUGH).await;
    tenant.upload("name=mine&activate=false", probe()).await.expect(201);
    let more = json!({"plugin": "mine", "plugin_config": {"do": "as_told"}, "paused": true});
    tenant.integration("https://example.org/", more).await
}

async fn told(tenant: &Client, id: &str, told: Value) -> String {
    let event = json!({"event": "document_text", "data": {"id": id, "probe": told}});
    tenant.event(event.to_string()).await
}

async fn backtest(client: &Client, arguments: &[&str]) -> Said {
    let mut command = command(["backtest"]);
    command
        .args(arguments)
        .env("HOOKMILL_URL", format!("http://{}", client.address))
        .env("HOOKMILL_KEY", &client.key);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.expect("it does not panic").expect("the binary starts").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_what_would_be_different_and_ends_so() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let integration = scene(&tenant).await;
    tenant.text_event("a").await;
    tenant.text_event("b").await;
    let asked = ["mine@2", "--integration", &integration];
    let said = backtest(&tenant, &asked).await;
    assert_eq!(
        said.expect(0),
        "mine@2 beside mine@1: 2 events compared, none is different\n  same                     2\n"
    );
    let skipped = told(&tenant, "c", json!({"do": "skip", "reason": "not\u{1b}[31m ours"})).await;
    let said = backtest(&tenant, &asked).await;
    let out = said.expect(1);
    for line in [
        "mine@2 beside mine@1: 3 events compared, 1 is different",
        "  newly skipped            1",
        &format!("newly skipped, first {skipped} of "),
        "  old  deliver 1 request",
        "  new  skip",
        "       not\\u{1b}[31m ours",
        "  /requests/0",
        "    - POST to default: application/json, ",
    ] {
        assert!(out.lines().any(|said| said.starts_with(line)), "{line}: {out}");
    }
    assert_eq!(said.err, "", "progress is for terminals");

    let said = backtest(&tenant, &[&asked[..], &["--json", "--last", "1"]].concat()).await;
    said.expect(1);
    let [summary] = said.json().try_into().expect("one line");
    assert_eq!(
        (&summary["compared"], &summary["newly_skipped"]),
        (&json!(1), &json!(1)),
        "{summary}"
    );

    // What fails no longer is no reason to stop.
    tenant.post("/plugins/mine/versions/2/activate", &json!({})).await.expect(200);
    told(&tenant, "d", json!({"do": "reject", "reason": "no"})).await;
    let said = backtest(&tenant, &["mine@1", "--integration", &integration, "--last", "1"]).await;
    assert!(said.expect(0).contains("no longer failing"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_in_a_file_and_a_time() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    scene(&tenant).await;
    let event = tenant.text_event("a").await;
    let since = text(&tenant.get(&format!("/events/{event}")).await.expect(200), "/accepted_at").to_owned();
    let files = Files::new();
    let given =
        json!({"type": "webhook", "events": ["document_text"], "target": "https://example.org/", "plugin_config": {"do": "as_told"}});
    let file = format!("@{}", files.write("integration.json", given.to_string()).display());
    let organization = ["--organization", "contractfit1"];
    let said = backtest(
        &host.operator,
        &[&["mine@2", "--integration", &file, "--since", &since], &organization[..]].concat(),
    )
    .await;
    assert!(said.expect(0).contains("1 event compared, none is different"), "{said:?}");
    // Where there is nothing to compare, nothing is known.
    let later = ["mine@2", "--integration", &file, "--since", "2999-01-01T00:00:00Z"];
    backtest(&host.operator, &[&later[..], &organization[..]].concat()).await.expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_told_in_the_words_of_the_host() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let integration = scene(&tenant).await;
    for (arguments, code, says) in [
        (&["mine@9", "--integration", &integration][..], 2, "404"),
        (&["mine@2", "--integration", "int_x"], 2, "422"),
        (&["mine@2", "--integration", "@nowhere.json"], 2, "nowhere.json"),
        (&["mine", "--integration", &integration], 2, "totals@3"),
        (&["mine@2", "--integration", &integration, "--last", "0"], 2, "/last"),
        (
            &[
                "mine@2",
                "--integration",
                &integration,
                "--last",
                "1",
                "--since",
                "2020-01-01T00:00:00Z",
            ],
            2,
            "--since",
        ),
    ] {
        let said = backtest(&tenant, arguments).await;
        assert_eq!(said.expect(code), "", "{arguments:?}");
        assert!(said.err.contains(says), "{says}: {}", said.err);
    }
}
