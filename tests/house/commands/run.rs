//! `hookmill plugin run`: what a host would make of an event, before there is a host.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Files, Said, command, plugin};
use crate::parts::components::{FLATTEN, PASSTHROUGH, probe, wat};
use crate::parts::host::{Host, text};
use crate::parts::receiver::Receiver;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_as_it_would_on_a_host() {
    let host = Host::start();
    let receiver = Receiver::start().await;
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let files = Files::new();
    let mut integrations = Vec::new();
    let configs = [
        json!({"do": "deliver", "requests": [{"text": "a"}, {"text": "b", "target": "nowhere"}]}),
        json!({"do": "deliver", "requests": [{"text": "a", "path": "/../b"}]}),
        json!({"do": "deliver", "requests": [{"text": "a", "headers": [["Host", "b"]]}]}),
        json!({"do": "deliver", "requests": []}),
        json!({"do": "skip", "reason": "it is small"}),
        json!({"do": "reject", "reason": "it is\nlarge"}),
        json!({"do": "panic", "message": "at the disco"}),
        json!({"do": "loop"}),
        json!({"do": "memory"}),
        json!({"do": "output", "requests": 2, "body_bytes": 3_000_000}),
        json!({"do": "log", "lines": 3, "line_bytes": 5}),
    ];
    for config in &configs {
        let more = json!({"plugin": "probe", "plugin_config": config, "events": ["document_text"],
            "targets": {"review": {"target": receiver.url("/review")}}});
        integrations.push(tenant.integration(&receiver.url("/"), more).await);
    }
    let event = tenant.event(TEXT).await;
    let all_ended = |event: &Value| {
        let runs = event["runs"].as_array().expect("a list");
        runs.len() == configs.len() && runs.iter().all(|run| run.get("recorded_at").is_some())
    };
    let event = tenant.event_when(&event, all_ended).await;
    for (config, integration) in configs.iter().zip(&integrations) {
        let runs = event["runs"].as_array().expect("a list");
        let run = runs.iter().find(|run| run["integration"] == **integration).expect("each ran");
        let code = i32::from(run["state"] == "parked");
        let told = probed(&files, &["--target", "review"], config, code);
        let of = |run: &Value| ["code", "reason"].map(|field| run.get(field).cloned());
        assert_eq!(of(&told), of(run), "{config}");
        let outcome = match text(run, "/state") {
            "done" => "deliver",
            "skipped" => "skip",
            "parked" => "park",
            other => panic!("{other}: {run}"),
        };
        assert_eq!(told["outcome"], outcome, "{config}");
        let log = run.get("log").cloned().unwrap_or_else(|| json!([]));
        assert_eq!(told["log"], log, "{config}");
    }
}

/// A script that reads one reads the other: what the API answers to a dry run stands here, too, and beside it which event it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_as_the_api_tells_a_dry_run() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    tenant.plugin("probe", probe()).await;
    let files = Files::new();
    for config in [
        json!({"do": "deliver", "requests": [
            {"text": "a"},
            {"bytes": [255, 0], "target": "review", "method": "put", "path": "/a", "query": [["q", "1"]], "headers": [["x-a", "b"]]},
        ]}),
        json!({"do": "skip", "reason": "it is small"}),
        json!({"do": "reject", "reason": "it is\nlarge"}),
        json!({"do": "deliver", "requests": [{"text": "b", "target": "nowhere"}]}),
        json!({"do": "log", "lines": 3, "line_bytes": 5}),
    ] {
        let integration = json!({"type": "webhook", "events": ["document_text"], "target": "https://target.invalid/default",
            "targets": {"review": {"target": "https://target.invalid/review"}}, "plugin_config": config});
        let event: Value = serde_json::from_str(TEXT).expect("JSON");
        let body = json!({"event": event, "integration": integration});
        let mut answered = tenant.post("/plugins/probe/versions/1/run", &body).await.expect(200);
        let code = i32::from(answered["outcome"] == "park");
        let mut told = probed(&files, &["--target", "review"], &config, code);
        for object in [&mut answered, &mut told] {
            let object = object.as_object_mut().expect("an object");
            for measured in ["duration_us", "memory_bytes"] {
                assert!(object.remove(measured).is_some_and(|found| found.is_u64()), "{measured}");
            }
        }
        let object = told.as_object_mut().expect("an object");
        for of_event in ["event", "kind", "organization", "document", "accepted_at"] {
            assert!(object.remove(of_event).is_some_and(|found| found.is_string()), "{of_event}");
        }
        assert_eq!(told, answered, "{config}");
    }
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

/// Two processes, of which one gives the call so little time that a slow machine would park it.
#[test]
fn fuel_is_told_when_it_is_asked_for_and_is_the_same_each_time() {
    let files = Files::new();
    for (component, event) in [(PASSTHROUGH, TEXT), (FLATTEN, PREDICT)] {
        let component = files.write("component.wasm", component);
        let event = files.write("event.json", event);
        let fuel = |cpu_ms: &str| {
            let mut command = command(["run".as_ref(), component.as_os_str(), "--event".as_ref(), event.as_os_str()]);
            command.args(["--json", "--fuel"]).env("HOOKMILL_LIMITS__PLUGIN__CPU_MS", cpu_ms);
            let said = Said::from(command.output().expect("the binary starts"));
            let [told] = said.json().try_into().unwrap_or_else(|_| panic!("{said:?}"));
            told["fuel"].as_u64().unwrap_or_else(|| panic!("{told}"))
        };
        assert_eq!(fuel("1"), fuel("10000"));
    }
    let said = ran(&files, PASSTHROUGH, TEXT, &["--fuel"]);
    assert!(said.expect(0).contains(" MiB, fuel 3,"), "{}", said.out);
    let said = ran(&files, PASSTHROUGH, TEXT, &["--json"]);
    assert!(
        said.expect(0).contains("memory_bytes") && !said.out.contains("fuel"),
        "{}",
        said.out
    );
}

#[test]
fn what_fails_has_fuel_too_or_is_told_why_not() {
    let files = Files::new();
    let told = |guest: &str| {
        let said = ran(&files, &wat(guest, ""), TEXT, &["--fuel", "--json"]);
        said.expect(1);
        let [told] = said.json().try_into().expect("one event");
        let shown = ran(&files, &wat(guest, ""), TEXT, &["--fuel"]);
        shown.expect(1);
        (told, shown.out)
    };
    let (trap, shown) = told("trap");
    assert_eq!(text(&trap, "/code"), "trap");
    let fuel = trap["fuel"].as_u64().expect("a number");
    assert!(
        fuel > 0 && fuel < 1000 && shown.contains(&format!(", fuel {fuel}\n")),
        "{fuel}: {shown}"
    );
    let (endless, shown) = told("loop");
    assert_eq!(text(&endless, "/code"), "cpu_limit");
    assert_eq!(
        (&endless["fuel"], &endless["fuel_more_than"]),
        (&Value::Null, &json!(10_000_000_000_u64))
    );
    assert!(shown.contains("fuel more than 10,000,000,000"), "{shown}");
    let (deep, shown) = told("recurse");
    assert_eq!((text(&deep, "/code"), deep.get("fuel")), ("trap", Some(&Value::Null)));
    let why = text(&deep, "/fuel_uncounted");
    assert!(
        why.contains("stack") && shown.contains(&format!("no fuel is told: {why}")),
        "{deep}: {shown}"
    );
}

#[test]
fn what_a_guest_says_is_no_command_to_the_terminal() {
    let files = Files::new();
    let config = json!({"do": "reject", "reason": "a\u{1b}[2J\u{202e}b"});
    let told = probed(&files, &[], &config, 1);
    assert_eq!(text(&told, "/reason"), "a\u{1b}[2J\u{202e}b");
    let said = ran(&files, &probe(), TEXT, &["--plugin-config", &config.to_string()]);
    assert!(said.expect(1).contains("a\\u{1b}[2J\\u{202e}b"), "{}", said.out);
    let said = ran(&files, &probe(), TEXT, &["--json", "--plugin-config", &config.to_string()]);
    assert!(!said.expect(1).contains(['\u{1b}', '\u{202e}']), "{}", said.out);
}

#[test]
fn nor_is_what_it_logs() {
    let files = Files::new();
    let message = "a\u{1b}]0;b\u{7}\u{9b}31m\r\u{202e}c\u{2066}d\u{2069}\u{200f}\u{2028}error: e";
    let config = json!({"do": "say", "message": message});
    let told = probed(&files, &[], &config, 0);
    assert_eq!(told["log"], json!([format!("warn: {message}")]), "a program reads what was said");
    let config = ["--plugin-config", &config.to_string()];
    let text = ran(&files, &probe(), TEXT, &config);
    let shown = r"a\u{1b}]0;b\u{7}\u{9b}31m\u{d}\u{202e}c\u{2066}d\u{2069}\u{200f}\u{2028}error: e";
    assert!(text.expect(0).contains(&format!("\n  log  warn: {shown}\n")), "{}", text.out);
    let json = ran(&files, &probe(), TEXT, &[config.as_slice(), &["--json"]].concat());
    for said in [text.expect(0), json.expect(0)] {
        let does_something = |found: char| found != '\n' && (found.is_control() || !found.is_ascii() && message.contains(found));
        assert!(!said.contains(does_something), "{said:?}");
    }
}

#[test]
fn nor_is_what_stands_in_an_error() {
    let files = Files::new();
    let schema = json!({"type": "string", "pattern": "^\u{1b}\\[2J\u{202e}$"});
    let said = ran(&files, &wat("schema", &schema.to_string()), TEXT, &["--plugin-config", "\"a\""]);
    assert_eq!(said.expect(1), "");
    assert!(said.err.contains("does not match \"^\\u{1b}\\[2J\\u{202e}$\""), "{}", said.err);
    // A line that a file brings along does not begin as those of the program do.
    let key = "\u{1b}]0;a\u{7}\u{202e}";
    for (event, says) in [
        (
            json!({"event": "document_text", "data": {"id": "a"}, (key): 1}),
            r"\u{1b}]0;a\u{7}\u{202e}",
        ),
        (
            json!({"event": "document_text", "data": {"id": "a"}, "\nhookmill: b": 1}),
            "\n  hookmill: b",
        ),
    ] {
        let said = ran(&files, PASSTHROUGH, &event.to_string(), &[]);
        assert_eq!(said.expect(1), "");
        assert!(said.err.contains(says), "{says}: {}", said.err);
        assert!(!said.err.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{}", said.err);
    }
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
