//! `hookmill plugin check`: what an upload would answer.

use hookmill_domain::digest::Digest;
use serde_json::{Value, json};

use super::{Files, plugin};
use crate::parts::components::{FLATTEN, wat};
use crate::parts::host::{Host, text};

#[test]
fn a_plugin_is_described() {
    let files = Files::new();
    let component = files.write("flatten.wasm", FLATTEN);
    let said = plugin(["check".as_ref(), component.as_os_str()]);
    let lines = said.expect(0);
    for told in [
        "is accepted",
        "hookmill:plugin@1.0.0, world configurable-plugin",
        "of at most 64.0 MiB",
        "small (memories: 1",
        "JSON Schema of",
    ] {
        assert!(lines.contains(told), "{told}: {lines}");
    }

    let said = plugin(["check".as_ref(), "--json".as_ref(), component.as_os_str()]);
    said.expect(0);
    let [report] = said.json().try_into().expect("one object");
    assert_eq!(
        (&report["accepted"], text(&report, "/digest"), text(&report, "/contract")),
        (&json!(true), &*Digest::of(FLATTEN).to_string(), "1.0.0")
    );
    assert_eq!(report["component_bytes"], FLATTEN.len());
    assert_eq!(
        (text(&report, "/world"), text(&report, "/schema/title")),
        ("configurable-plugin", "Flatten")
    );
    let names = |pointer: &str| report.pointer(pointer).cloned().expect("a list");
    assert!(
        names("/imports")
            .as_array()
            .expect("a list")
            .contains(&json!("hookmill:plugin/log@1.0.0"))
    );
    assert!(
        names("/exports")
            .as_array()
            .expect("a list")
            .contains(&json!("hookmill:plugin/transformer@1.0.0"))
    );
    assert_eq!(
        (&report["needs"]["memories"], &report["needs"]["slots"]),
        (&json!(1), &json!("small"))
    );
    for number in [
        "/artifact_bytes",
        "/compile_ms",
        "/needs/memory_bytes",
        "/needs/tables",
        "/limits/memory_bytes",
    ] {
        let found = report.pointer(number).and_then(serde_json::Value::as_u64);
        assert!(found.is_some_and(|found| found > 0), "{number}: {report}");
    }
}

#[test]
fn a_plugin_without_a_schema_is_of_the_other_world() {
    let files = Files::new();
    let component = files.write("label.wasm", wat("label", "1"));
    let said = plugin(["check".as_ref(), "--json".as_ref(), component.as_os_str()]);
    said.expect(0);
    let [report] = said.json().try_into().expect("one object");
    assert_eq!((text(&report, "/world"), &report["schema"]), ("plugin", &Value::Null));
    let said = plugin(["check".as_ref(), component.as_os_str()]);
    let lines = said.expect(0);
    assert!(lines.contains("hookmill:plugin@1.0.0, world plugin\n"), "{lines}");
}

/// But for the time that compiling takes.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_answered_with_the_same_report() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let files = Files::new();
    let component = files.write("flatten.wasm", FLATTEN);
    let said = plugin(["check".as_ref(), "--json".as_ref(), component.as_os_str()]);
    let [mut checked] = said.json().try_into().expect("one object");
    let mut uploaded = tenant.upload("name=mine", FLATTEN).await.expect(201);
    for report in [&mut checked, &mut uploaded["report"]] {
        assert!(report["compile_ms"].take().is_u64());
    }
    assert_eq!(uploaded["report"], checked);
    // The same bytes are not compiled again: of the time that takes there is nothing to tell.
    let again = tenant.upload("name=mine", FLATTEN).await.expect(200);
    assert_eq!(again["report"], checked);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_refuses_an_upload_refuses_in_the_same_words() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let files = Files::new();
    for (name, bytes) in [
        ("core module", wat("core-module", "")),
        ("text", "hello".into()),
        ("half", wat("label", "one").slice(..500)),
        ("other interface", wat("other-interface", "")),
        ("future", wat("future-major", "")),
        ("http", wat("wasi-http", "")),
        ("import", wat("unknown-import", "")),
        ("signature", wat("wrong-signature", "")),
        ("start", wat("start-trap", "")),
        ("loop", wat("schema-loop", "")),
        ("memory", wat("memory-initial", "")),
        ("schema", wat("schema", r#"{"type": 5}"#)),
    ] {
        let component = files.write(name, &bytes);
        let problem = tenant.upload("name=refused", bytes).await.expect(422);
        let said = plugin(["check".as_ref(), "--json".as_ref(), component.as_os_str()]);
        said.expect(1);
        assert_eq!(
            said.json(),
            [json!({"accepted": false, "code": problem["code"], "message": problem["detail"]})]
        );
        let said = plugin(["check".as_ref(), component.as_os_str()]);
        let (first, words) = said.expect(1).split_once('\n').expect("lines");
        assert!(first.ends_with(&format!("is refused: {}", text(&problem, "/code"))), "{first}");
        assert!(words.contains(text(&problem, "/detail").lines().next().expect("words")), "{words}");
    }
}

#[test]
fn limits_are_those_of_the_configuration() {
    let files = Files::new();
    let component = files.write("flatten.wasm", FLATTEN);
    let file = files.write("hookmill.toml", "[limits.plugin]\ncomponent_bytes_max = 1000\n");
    let arguments = [
        "check".as_ref(),
        "--json".as_ref(),
        component.as_os_str(),
        "--config".as_ref(),
        file.as_os_str(),
    ];
    let said = plugin(arguments);
    said.expect(1);
    assert_eq!(said.json()[0]["code"], "too_large");
    files.write("hookmill.toml", "[limits.plugin]\ncomponent_bytes_max = 1000000\n");
    let said = plugin(arguments);
    said.expect(0);
    assert_eq!(said.json()[0]["limits"]["component_bytes_max"], 1_000_000);
    files.write("hookmill.toml", "[limits.plugin]\ncomponent_bytes = 1\n");
    let said = plugin(arguments);
    assert!(said.expect(1).is_empty() && said.err.contains("component_bytes"), "{said:?}");
}

#[test]
fn what_is_too_large_or_not_there() {
    let files = Files::new();
    let large = files.write("large.wasm", "");
    let bytes = 64 * 1024 * 1024 + 5;
    std::fs::File::options()
        .write(true)
        .open(&large)
        .and_then(|file| file.set_len(bytes))
        .expect("a file of holes");
    let said = plugin(["check".as_ref(), "--json".as_ref(), large.as_os_str()]);
    said.expect(1);
    let [report] = said.json().try_into().expect("one object");
    assert_eq!(report["code"], "too_large");
    assert!(text(&report, "/message").contains(&bytes.to_string()), "{report}");

    let missing = files.path().join("missing.wasm");
    let said = plugin(["check".as_ref(), missing.as_os_str()]);
    assert_eq!(said.expect(1), "");
    assert!(said.err.contains("missing.wasm"), "{}", said.err);
}
