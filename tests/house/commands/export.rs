//! `hookmill export`, and `hookmill plugin run --run`: runs of a real host are made again where there is none.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Files, Said, at_host, plugin};
use crate::parts::calls::one;
use crate::parts::client::Client;
use crate::parts::components::{PASSTHROUGH, probe, wasi, wat};
use crate::parts::host::{Host, Options, text};
use crate::parts::looks::problem;
use crate::parts::receiver::Receiver;

const EVENT: &str = r#"{"event": "document_text", "inbox": "5e6f", "data": {"n": 1.10,  "id": "5e7a", "u": "\u00e9"}}"#;

/// A run's file, as the command line writes it.
async fn exported(client: &Client, files: &Files, run: &str) -> String {
    let path = files.path().join("run.json");
    let said = at_host(client, ["export", run, "--output", path.to_str().expect("plain")]).await;
    assert!(said.expect(0).starts_with(&format!("{run} is in ")), "{}", said.out);
    let file = std::fs::read_to_string(&path).expect("it was written");
    let said = at_host(client, ["export", run]).await;
    assert_eq!(said.expect(0), file, "standard output gets the same");
    file
}

/// Makes a run again.
fn again(files: &Files, component: &[u8], file: &str, more: &[&str]) -> Said {
    let component = files.write("component.wasm", component);
    let file = files.write("again.json", file);
    let plain = |path: &Path| path.to_str().expect("plain").to_owned();
    let (component, file) = (plain(&component), plain(&file));
    plugin([&["run", &component, "--run", &file], more].concat())
}

/// What programs are told of a run that was made again.
fn told(files: &Files, component: &[u8], file: &str, code: i32) -> Value {
    let said = again(files, component, file, &["--json"]);
    said.expect(code);
    let [told] = said.json().try_into().expect("one run");
    told
}

/// The runs of an event, once each has ended.
async fn runs(client: &Client, event: &str, count: usize) -> Vec<Value> {
    let all_ended = |event: &Value| {
        let runs = event["runs"].as_array().expect("a list");
        runs.len() == count && runs.iter().all(|run| run.get("recorded_at").is_some())
    };
    let event = client.event_when(event, all_ended).await;
    event["runs"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_made_again_from_its_file() {
    let host = Host::start();
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let files = Files::new();
    let configs = [
        json!({"do": "echo"}),
        json!({"do": "chance"}),
        json!({"do": "deliver", "requests": [{"bytes": [0, 255], "target": "review", "path": "/a", "query": [["k", "v"]]}, {"text": "b"}]}),
        // What the target sets, by name.
        json!({"do": "deliver", "requests": [{"text": "a", "headers": [["x-own", "1"]]}]}),
        json!({"do": "deliver", "requests": [{"text": "a", "query": [["token", "1"]]}]}),
        json!({"do": "skip", "reason": "it is small"}),
        json!({"do": "reject", "reason": "it is\nlarge"}),
        json!({"do": "panic", "message": "at the disco"}),
        json!({"do": "loop"}),
        json!({"do": "memory"}),
        json!({"do": "log", "lines": 300, "line_bytes": 5}),
    ];
    let mut integrations = Vec::new();
    for config in &configs {
        let more = json!({"plugin": "probe", "plugin_config": config, "headers": {"X-Own": "a-secret-value"},
            "targets": {"review": {"target": receiver.url("/review")}}});
        integrations.push(tenant.integration(&receiver.url("/secret-path?token=secret-token"), more).await);
    }
    let data = "{\"n\": 1.10,  \"id\": \"5e7a\", \"u\": \"\\u00e9 \u{202e}\"}";
    let event = format!("{{\"event\": \"document_text\", \"inbox\": \"5e6f\", \"data\": {data}}}");
    let event = tenant.event(event).await;
    let runs = runs(&tenant, &event, configs.len()).await;
    for (config, integration) in configs.iter().zip(&integrations) {
        let run = one(&Value::Array(runs.clone()), |run| run["integration"] == **integration).clone();
        let file = exported(&tenant, &files, text(&run, "/id")).await;
        for secret in ["a-secret-value", "secret-path", "secret-token", "whsec_"] {
            assert!(!file.contains(secret), "{secret}: {file}");
        }
        assert!(!file.contains('\u{202e}'), "nothing turns the text in a terminal");
        let found: Value = serde_json::from_str(&file).expect("JSON");
        assert_eq!((text(&found, "/format"), &found["version"]), ("hookmill.run", &json!(1)));
        assert_eq!((text(&found, "/event/data"), text(&found, "/event/inbox")), (data, "5e6f"));
        assert_eq!(text(&found, "/integration/config"), config.to_string());
        assert_eq!(found["plugin"], run["plugin"]);

        let told = told(&files, &probe(), &file, 0);
        let of = |run: &Value| ["code", "reason"].map(|field| run.get(field).cloned());
        let outcome = match text(&run, "/state") {
            "done" => "deliver",
            "skipped" => "skip",
            _ => "park",
        };
        assert_eq!((text(&told, "/outcome"), of(&told)), (outcome, of(&run)), "{config}");
        assert_eq!(told["log"], run.get("log").cloned().unwrap_or_else(|| json!([])), "{config}");
        assert_eq!(
            told["run"],
            json!({"id": run["id"], "plugin": run["plugin"], "same_component": true, "same_outcome": true, "differences": []}),
            "{config}"
        );
        for (delivery, request) in run["deliveries"]
            .as_array()
            .expect("a list")
            .iter()
            .zip(told["requests"].as_array().expect("a list"))
        {
            let got = receiver.received().into_iter().find(|got| got.id() == text(delivery, "/id"));
            let got = got.expect("it was delivered");
            if request.get("body").is_some() {
                assert_eq!(text(request, "/body").as_bytes(), got.body, "{config}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_generation_keeps_its_seed_and_its_revision() {
    let host = Host::start();
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let files = Files::new();
    let reject = json!({"plugin": "probe", "plugin_config": {"do": "reject", "reason": "not yet"}});
    let integration = tenant.integration(&receiver.url("/"), reject).await;
    let event = tenant.event(EVENT).await;
    let first = text(&runs(&tenant, &event, 1).await[0], "/id").to_owned();
    let path = format!("/integrations/{integration}");
    tenant.plugin("wasi", wasi()).await;
    let chance = json!({"plugin": "wasi", "plugin_config": null});
    tenant.patch(&path, &chance).await.expect(200);
    let next = tenant.post(&format!("/runs/{first}/resume"), &Value::Null).await.expect(202);
    let sent = receiver.wait_for(1).await.remove(0);
    runs(&tenant, &event, 2).await;

    let file = exported(&tenant, &files, text(&next, "/id")).await;
    let made = told(&files, &wasi(), &file, 0);
    assert_eq!(made["run"]["same_outcome"], true, "{made}");
    assert_eq!(text(&made, "/requests/0/body").as_bytes(), sent.body);
    let other = file.replace("\"generation\":1", "\"generation\":0");
    let made = told(&files, &wasi(), &other, 1);
    assert_eq!(made["run"]["same_outcome"], false, "the generation is in the seed: {other}");
    assert!(text(&made, "/run/differences/0").starts_with("request 1 (dlv_"), "{made}");

    // The one that was resumed is the parked one still.
    let file = exported(&tenant, &files, &first).await;
    assert!(file.contains("\"state\":\"resumed\""), "{file}");
    assert_eq!(told(&files, &probe(), &file, 0)["run"]["same_outcome"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_component_or_outcome_is_told() {
    let host = Host::start();
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    let files = Files::new();
    let uploaded = tenant.plugin("label", wat("label", "one")).await;
    tenant.integration(&receiver.url("/"), json!({"plugin": "label"})).await;
    let event = tenant.event(EVENT).await;
    let run = runs(&tenant, &event, 1).await.remove(0);
    let file = exported(&tenant, &files, text(&run, "/id")).await;
    let made = told(&files, &wat("label", "two"), &file, 1);
    assert_eq!(
        (&made["run"]["same_component"], &made["run"]["same_outcome"]),
        (&json!(false), &json!(false))
    );
    let said = again(&files, &wat("label", "two"), &file, &[]);
    for says in [
        "does not end as on its host",
        "request 1 (dlv_",
        "the component is not the one that the host called",
        text(&uploaded, "/digest"),
    ] {
        assert!(said.expect(1).contains(says), "{says}: {}", said.out);
    }
    let said = again(&files, &wat("label", "one"), &file, &[]);
    assert!(said.expect(0).contains("ends as on its host"), "{}", said.out);
    assert!(!said.out.contains("is not the one"), "{}", said.out);
    // Whoever has written the file again has not changed the run.
    let found: Value = serde_json::from_str(&file).expect("JSON");
    let pretty = serde_json::to_string_pretty(&found).expect("JSON");
    assert_eq!(told(&files, &wat("label", "one"), &pretty, 0)["run"]["same_outcome"], true);

    // One that has not ended can be tried, and has nothing to be compared with.
    let paused = tenant.integration(&receiver.url("/"), json!({"paused": true})).await;
    let event = tenant.event(EVENT).await;
    let event = tenant
        .event_when(&event, |event| event["runs"].as_array().map(Vec::len) == Some(2))
        .await;
    let run = one(&event["runs"], |run| run["integration"] == *paused);
    let file = exported(&tenant, &files, text(run, "/id")).await;
    let made = told(&files, PASSTHROUGH, &file, 0);
    assert_eq!(
        (&made["outcome"], &made["run"]["same_component"]),
        (&json!("deliver"), &json!(true))
    );
    assert_eq!(made["run"].get("same_outcome"), None, "{made}");
    assert!(text(&made, "/requests/0/body").contains("\"n\": 1.10,  \"id\""), "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_are_those_of_the_host() {
    let host = Host::start_with(
        Options::default()
            .with("LIMITS__PLUGIN__LOG_LINES_MAX", "3")
            .with("LIMITS__PLUGIN__REQUESTS_MAX", "2"),
    );
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let files = Files::new();
    for config in [
        json!({"do": "log", "lines": 9, "line_bytes": 5}),
        json!({"do": "output", "requests": 3, "body_bytes": 5}),
    ] {
        let integration = tenant
            .integration(&receiver.url("/"), json!({"plugin": "probe", "plugin_config": config}))
            .await;
        let event = tenant.event(EVENT).await;
        let run = runs(&tenant, &event, 1).await.remove(0);
        tenant.delete(&format!("/integrations/{integration}")).await.expect(204);
        let file = exported(&tenant, &files, text(&run, "/id")).await;
        let made = told(&files, &probe(), &file, 0);
        assert_eq!(made["run"]["same_outcome"], true, "{config}: {made}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_not_exported() {
    let mut host = Host::start();
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    let event = tenant.event(EVENT).await;
    let run = text(&runs(&tenant, &event, 1).await[0], "/id").to_owned();
    assert!(host.terminate().success());
    let database = Connection::open(host.folder().join("hookmill.db")).expect("it opens");
    assert_eq!(database.execute("UPDATE event SET payload = 1, data = NULL", []), Ok(1));
    drop(database);
    host.start_again();
    let tenant = tenant.with_host(&host);
    let gone = problem(&tenant.get(&format!("/runs/{run}/export")).await, 410, "-");
    assert_eq!(text(&gone, "/code"), "payload_gone");
    let said = at_host(&tenant, ["export", &run]).await;
    assert_eq!(said.expect(1), "");
    assert!(said.err.contains("payload_gone"), "{}", said.err);
}

#[test]
fn files_that_are_no_runs_are_refused() {
    let files = Files::new();
    for (file, says) in [
        ("", "not a run's file"),
        (EVENT, "not a run's file"),
        (r#"{"format": "hookmill.run", "version": 2}"#, "of version 2"),
        (r#"{"format": "hookmill.run", "version": 1}"#, "missing field `run`"),
    ] {
        let said = again(&files, PASSTHROUGH, file, &["--json"]);
        assert_eq!(said.expect(1), "");
        assert!(said.err.contains(says), "{says}: {}", said.err);
    }
    let said = again(&files, PASSTHROUGH, "", &["--plugin-config", "{}"]);
    assert!(said.err.contains("cannot be used with"), "{}", said.err);
    said.expect(2);
}
