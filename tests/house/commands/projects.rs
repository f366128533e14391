//! `hookmill plugin new` and `build`: projects as a stranger gets them, from an empty folder to requests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Files, command, plugin};
use crate::parts::host::text;

const DOCUMENT: &str = "5e7a0daf255bf93741177061";

/// A new project.
fn made(files: &Files, language: &str) -> PathBuf {
    let folder = files.path().join("my-totals");
    let said = plugin(["new".as_ref(), folder.as_os_str(), "--lang".as_ref(), language.as_ref()]);
    assert!(said.expect(0).contains("README.md"), "{said:?}");
    folder
}

/// Builds it, and runs it on both of the project's events. What came out of the first is told.
fn runs(files: &Files, folder: &Path) -> Value {
    let component = files.path().join("totals.wasm");
    let mut build = command(["build".as_ref(), folder.as_os_str(), "-o".as_ref(), component.as_os_str()]);
    // It builds as it stands, whatever surrounds it.
    build.env_remove("CARGO_TARGET_DIR").stdin(Stdio::null());
    let said = super::Said::from(build.output().expect("the binary starts"));
    assert!(said.expect(0).contains("totals.wasm ("), "{said:?}");
    assert_eq!(said.out.lines().count(), 1, "{said:?}");
    // Both in one run: compiling an interpreter takes its time.
    let [predict, other] = ["document_predict", "document_text"]
        .map(|name| std::fs::read_to_string(folder.join(format!("events/{name}.json"))).expect("a sample"));
    let events = files.write("events.json", format!("[{predict}, {other}]"));
    let said = plugin([
        "run".as_ref(),
        component.as_os_str(),
        "--json".as_ref(),
        "--event".as_ref(),
        events.as_os_str(),
    ]);
    said.expect(0);
    let [told, skipped] = said.json().try_into().expect("two events");
    assert_eq!(
        (&skipped["state"], &skipped["reason"]),
        (&json!("skipped"), &json!("document_text has no total"))
    );
    let body: Value = serde_json::from_str(text(&told, "/requests/0/body")).expect("JSON");
    assert_eq!(body, json!({"document": DOCUMENT, "total": 152.11}));
    told
}

/// Whether a tool is there. Where it is not, that is said, since the test then shows nothing.
fn has(tool: &str) -> bool {
    let found = Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: there is no {tool} on this machine");
    }
    is_there
}

#[test]
fn a_new_rust_project_builds_and_its_test_passes() {
    let files = Files::new();
    let folder = made(&files, "rust");
    // The standard library for WebAssembly and the dependencies are built once for all guests of the tests.
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/target");
    std::fs::create_dir_all(&shared).expect("it can be made");
    let shared = shared.canonicalize().expect("it is there");
    let configuration = format!("[build]\ntarget-dir = {shared:?}\n");
    std::fs::create_dir(folder.join(".cargo")).expect("a new folder");
    std::fs::write(folder.join(".cargo/config.toml"), configuration).expect("a new file");
    let told = runs(&files, &folder);
    assert_eq!(told["requests"][0]["content_type"], "application/json");

    let mut test = Command::new("cargo");
    test.args(["test", "--quiet"]).current_dir(&folder).env_remove("CARGO_TARGET_DIR");
    let output = test.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("2 passed"), "{output:?}");
}

#[test]
fn a_new_javascript_project_builds() {
    if !has("npm") {
        return;
    }
    let files = Files::new();
    let folder = made(&files, "js");
    let told = runs(&files, &folder);
    assert_eq!(told["log"], json!(["info: total 152.11"]));
}

#[test]
fn a_new_python_project_builds() {
    if !has("python3") {
        return;
    }
    let files = Files::new();
    let folder = made(&files, "python");
    let told = runs(&files, &folder);
    assert_eq!(told["log"], json!(["stdout: total 152.11"]));
}

#[test]
fn what_is_missing_is_said_in_a_line() {
    let files = Files::new();
    let folder = made(&files, "js");
    let built = |folder: &Path, path: &str| {
        let said = super::Said::from(
            command(["build".as_ref(), folder.as_os_str()])
                .env("PATH", path)
                .output()
                .expect("the binary starts"),
        );
        assert_eq!(said.expect(1), "");
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
        said.err
    };
    assert!(built(&folder, "").contains("there is no npm here: Node.js brings it"));
    std::fs::write(
        folder.join("hookmill.json"),
        r#"{"name": "a", "language": "cobol", "main": "a", "world": "plugin"}"#,
    )
    .expect("written");
    assert!(built(&folder, "").contains("unknown variant `cobol`"));
    std::fs::write(
        folder.join("hookmill.json"),
        r#"{"name": "a", "language": "python", "main": "a", "world": "plugin"}"#,
    )
    .expect("written");
    assert!(built(&folder, "").contains("there is no python3 here"));
    assert!(built(&folder.join("events"), "").contains("holds no plugin"));
    assert!(built(&folder.join("nowhere"), "").contains("there is no folder"));

    let again = plugin(["new".as_ref(), folder.as_os_str()]);
    assert!(again.err.contains("is not empty"), "{}", again.err);
    assert_eq!(again.expect(1), "");
    let named = plugin(["new".as_ref(), files.path().join("Not A Name").as_os_str()]);
    assert_eq!(named.expect(1), "");
    assert!(named.err.contains("`Not A Name` is no plugin's name"), "{}", named.err);
}
