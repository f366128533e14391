//! `hookmill plugin run`: what a host would make of an event, before there is a host.

mod fuel;
mod parity;
mod terminal;

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Files, Said, command, plugin};
use crate::parts::components::{FLATTEN, PASSTHROUGH, probe, wat};
use crate::parts::host::text;

const TEXT: &str = r#"{"event": "document_text", "data": {"id": "5e7a", "n": 1.10}}"#;
const PREDICT: &str = include_str!("../../samples/document_predict_low_confidence.json");

/// Runs the probe with this configuration on one event, and gives what is told of it.
#[track_caller]
fn probed(files: &Files, more: &[&str], config: &Value, code: i32) -> Value {
    let component = files.write("probe.wasm", probe());
    let event = files.write("event.json", TEXT);
    let config = config.to_string();
    let mut arguments = vec!["run", component.to_str().expect("plain"), "--json", "--event"];
    arguments.extend([event.to_str().expect("plain"), "--plugin-config", &config]);
    arguments.extend(more);
    let said = plugin(arguments);
    said.expect(code);
    let [told] = said.json().try_into().expect("one event");
    told
}

/// Runs a built-in plugin on a file of events.
fn ran(files: &Files, component: &[u8], events: &str, more: &[&str]) -> Said {
    let component = files.write("component.wasm", component);
    let events = files.write("events.json", events);
    let mut arguments = vec![
        "run",
        component.to_str().expect("plain"),
        "--event",
        events.to_str().expect("plain"),
    ];
    arguments.extend(more);
    plugin(arguments)
}

#[test]
fn the_documented_payload_and_the_same_each_time() {
    let files = Files::new();
    let run = || {
        let said = ran(&files, PASSTHROUGH, TEXT, &["--json"]);
        said.expect(0);
        let [mut told] = said.json().try_into().expect("one event");
        let told = told.as_object_mut().expect("an object");
        for measured in ["duration_us", "memory_bytes"] {
            let found = told.remove(measured).and_then(|found| found.as_u64());
            assert!(found.is_some_and(|found| found > 0), "{measured}");
        }
        Value::Object(told.clone())
    };
    let told = run();
    let body = r#"{"event": "document_text", "organization": "contractfit1", "data": {"id": "5e7a", "n": 1.10}}"#;
    assert_eq!(
        told,
        json!({
            "event": "evt_01jgfjjz00e008000000000000", "kind": "document_text", "organization": "contractfit1", "document": "5e7a",
            "accepted_at": "2025-01-01T00:00:00.000Z", "outcome": "deliver", "would_run": true, "log": [],
            "requests": [{"target": "default", "method": "POST", "url": "https://target.invalid/default",
                "headers": [["content-type", "application/json"]], "body": body}],
        })
    );
    assert_eq!(run(), told);

    let said = ran(&files, PASSTHROUGH, TEXT, &["--organization", "other"]);
    let lines = said.expect(0);
    for shown in [
        "document_text 5e7a done",
        "POST to the default target",
        "content-type: application/json",
        "\"other\"",
        "1.10",
    ] {
        assert!(lines.contains(shown), "{shown}: {lines}");
    }
}

#[test]
fn files_of_events() {
    let files = Files::new();
    let named = r#"{"event": "document_delete", "organization": "named", "inbox": "i", "data": {"id": "b"}}"#;
    let check = |said: &Said| {
        said.expect(0);
        let told = said.json();
        let of = |pointer: &str| told.iter().map(|told| text(told, pointer).to_owned()).collect::<Vec<_>>();
        assert_eq!(of("/document"), ["5e7a", "b"]);
        assert_eq!(of("/organization"), ["contractfit1", "named"]);
        assert_ne!(told[0]["event"], told[1]["event"]);
    };
    check(&ran(&files, PASSTHROUGH, &format!("{TEXT}\n\n{named}\n"), &["--json"]));
    check(&ran(&files, PASSTHROUGH, &format!("[{TEXT},\n{named}]"), &["--json"]));
    let component = files.path().join("component.wasm");
    let mut child = command(["run".as_ref(), component.as_os_str(), "--json".as_ref(), "--event=-".as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    write!(stdin, "{TEXT}\n{named}").expect("it reads");
    drop(stdin);
    check(&child.wait_with_output().expect("it ends").into());

    let shown = ran(&files, PASSTHROUGH, &format!("{TEXT}\n{named}"), &[]);
    assert!(shown.expect(0).ends_with("2 events, 0 parked\n"), "{}", shown.out);
    for (events, says) in [
        (format!("{TEXT}\n{{\"event\": \"document_text\"}}"), "/1/data: is missing"),
        (
            format!("[{TEXT}, {{\"event\": \"document_eaten\", \"data\": {{\"id\": \"a\"}}}}]"),
            "/1/event: unknown kind",
        ),
        ("{".to_owned(), "not JSON"),
    ] {
        let said = ran(&files, PASSTHROUGH, &events, &["--json"]);
        assert_eq!(said.expect(1), "", "nothing runs: {events}");
        assert!(said.err.contains(says), "{says}: {}", said.err);
    }
    let eaten = TEXT.replace("document_text", "document_eaten");
    ran(&files, PASSTHROUGH, &eaten, &["--kind", "document_eaten"]).expect(0);
}

#[test]
fn a_plugin_is_given_what_is_named() {
    let files = Files::new();
    let config = files.write("config.json", " {\"do\":  \"echo\"} \n");
    let at_file = format!("@{}", config.display());
    let component = files.write("probe.wasm", probe());
    let event = files.write("event.json", TEXT);
    let mut arguments = vec![
        "run",
        component.to_str().expect("plain"),
        "--json",
        "--event",
        event.to_str().expect("plain"),
    ];
    arguments.extend(["--plugin-config", &at_file, "--target", "review", "--target", "archive"]);
    arguments.extend(["--accepted-at", "2026-09-21T16:13:20.120+02:00"]);
    let said = plugin(arguments);
    said.expect(0);
    let [told] = said.json().try_into().expect("one event");
    let given: Value = serde_json::from_str(text(&told, "/requests/0/body")).expect("JSON");
    assert_eq!(given["event"]["id"], told["event"]);
    assert_eq!(text(&given, "/event/accepted_at"), "2026-09-21T14:13:20.120Z");
    assert_eq!(text(&given, "/event/data"), r#"{"id": "5e7a", "n": 1.10}"#);
    assert_eq!(given["integration"]["targets"], json!(["review", "archive"]));
    assert_eq!(text(&given, "/integration/config"), r#"{"do":  "echo"}"#);
}

#[test]
fn requests_are_told_whole() {
    let files = Files::new();
    let request = json!({"bytes": [255, 0], "target": "review", "method": "put", "path": "/a", "query": [["q", "1"]],
        "headers": [["x-a", "b"]], "content_type": "image/png"});
    let config = json!({"do": "deliver", "requests": [request, {"json": "{half"}]});
    let told = probed(&files, &["--target", "review"], &config, 0);
    assert_eq!(
        told["requests"],
        json!([
            {"target": "review", "method": "PUT", "url": "https://target.invalid/review/a?q=1",
             "headers": [["content-type", "image/png"], ["x-a", "b"]], "body_base64": "/wA="},
            {"target": "default", "method": "POST", "url": "https://target.invalid/default",
             "headers": [["content-type", "application/json"]], "body": "{half"},
        ])
    );
    let [warning] = told["warnings"].as_array().expect("a list").as_slice() else {
        panic!("{told}")
    };
    assert!(
        warning.as_str().expect("text").starts_with("request 2: the body is not JSON"),
        "{warning}"
    );
}

#[test]
fn configurations_are_judged_by_the_schema() {
    let files = Files::new();
    let said = ran(&files, FLATTEN, PREDICT, &["--plugin-config", r#"{"fields": 5}"#]);
    assert_eq!(said.expect(1), "");
    assert!(said.err.contains("/plugin_config/fields: "), "{}", said.err);
    let said = ran(&files, FLATTEN, PREDICT, &["--plugin-config", "{"]);
    assert!(said.err.contains("is not JSON"), "{}", said.err);
    let said = ran(&files, PASSTHROUGH, TEXT, &["--plugin-config", r#"{"a": {"b": 1, "b": 1}}"#]);
    assert_eq!(said.expect(1), "");
    assert!(said.err.contains("/plugin_config/a/b: is given more than once"), "{}", said.err);

    let config = ["--plugin-config", r#"{"review_below": 99}"#, "--json"];
    let said = ran(&files, FLATTEN, PREDICT, &config);
    said.expect(1);
    assert_eq!(said.json()[0]["code"], "rejected", "it has no target for what is to be reviewed");
    let said = ran(&files, FLATTEN, PREDICT, &[&config[..], &["--target", "review"]].concat());
    said.expect(0);
    assert_eq!(said.json()[0]["requests"][0]["target"], "review");
}

/// The host's configuration is that of `serve`: by flag, by the environment, or where an author keeps it.
#[test]
fn limits_are_those_of_the_configuration() {
    let files = Files::new();
    let component = files.write("probe.wasm", probe());
    let event = files.write("event.json", TEXT.replace("document_text", "document_eaten"));
    let home = files.path().join("home");
    std::fs::create_dir_all(home.join("hookmill")).expect("a new folder");
    let text = "kinds = [\"document_eaten\"]\n[limits.plugin]\nrequests_max = 1\n[client]\nkey = \"k\"\n";
    let file = files.write("hookmill.toml", text);
    let (file, home) = (file.to_str().expect("plain"), home.to_str().expect("plain"));
    let two = json!({"do": "deliver", "requests": [{"text": "a"}, {"text": "b"}]}).to_string();
    let run = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = command(["run".as_ref(), component.as_os_str(), "--event".as_ref(), event.as_os_str()]);
        command.args(["--json", "--plugin-config", &two]).args(arguments);
        command.envs(environment.iter().copied());
        Said::from(command.output().expect("the binary starts"))
    };
    let said = run(&[], &[]);
    assert!(said.err.contains("unknown kind"), "{said:?}");
    let limited = |said: Said| {
        said.expect(1);
        let [told] = said.json().try_into().expect("one event");
        assert_eq!(told["code"], "output_limit", "{told}");
    };
    limited(run(&["--config", file], &[]));
    limited(run(&[], &[("HOOKMILL_CONFIG", file)]));
    std::fs::copy(file, format!("{home}/hookmill/config.toml")).expect("copied");
    limited(run(&[], &[("XDG_CONFIG_HOME", home)]));
    // The environment stands over the file.
    run(&["--config", file], &[("HOOKMILL_LIMITS__PLUGIN__REQUESTS_MAX", "2")]).expect(0);
    let said = run(&["--config", "/nowhere/hookmill.toml"], &[]);
    assert!(said.expect(1).is_empty() && said.err.contains("/nowhere/hookmill.toml"), "{said:?}");
}

#[test]
fn what_no_host_takes_does_not_run() {
    let files = Files::new();
    let said = ran(&files, &wat("wasi-http", ""), TEXT, &["--json"]);
    said.expect(1);
    let refusals = said.json();
    assert_eq!(
        (&refusals[0]["code"], &refusals[0]["accepted"]),
        (&json!("import_not_offered"), &json!(false))
    );
    // It is refused as `check` refuses it.
    let component = files.path().join("component.wasm");
    assert_eq!(
        plugin(["check".as_ref(), "--json".as_ref(), component.as_os_str()]).json(),
        refusals
    );
    let said = ran(&files, &wat("core-module", ""), TEXT, &[]);
    assert!(said.expect(1).contains("is refused: core_module"), "{}", said.out);
    let said = ran(&files, PASSTHROUGH, TEXT, &["--target", "a", "--target", "a"]);
    assert!(said.err.contains("named twice"), "{}", said.err);
    ran(&files, PASSTHROUGH, TEXT, &["--target", "default"]).expect(2);
}
