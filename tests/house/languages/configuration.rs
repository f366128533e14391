//! Plugins that export a schema: new projects that are changed as their READMEs say, to the letter.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookmill_builder::{Language, Options as BuildOptions, build_project, create};
use serde_json::{Value, json};

use crate::parts::calls::fields;
use crate::parts::host::{Host, text};
use crate::parts::languages::{new_project, share_builds};
use crate::parts::readme::block;

/// What is built by which name, where it is written, and how READMEs mark its language. The larger engine of JavaScript has the same README as
/// the small one, and would take the compiler half a minute more.
const PROJECTS: [(&str, &str, &str); 4] = [
    ("rust", "src/lib.rs", "rust"),
    ("quickjs", "plugin.js", "js"),
    ("python", "app.py", "python"),
    ("c", "plugin.c", "c"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_readmes_show_of_configurations_is_true() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, main, mark) in PROJECTS {
        let project = project(name, folder.path());
        let sample = read(&project.join("events/document_predict.json"));
        make_configurable(&project, main, mark);
        let built = build_project(&project, &BuildOptions::default());
        let built = built.unwrap_or_else(|error| panic!("{name}: {:#}", anyhow::Error::from(error)));
        let component = fs::read(built.path).expect("it was just built");
        let uploaded = tenant.plugin(name, component).await;
        judges(&uploaded["report"]["schema"], name);

        let integration = |config: &Value| {
            json!({
                "type": "webhook", "events": ["document_predict"], "target": "https://example.org/", "plugin": name, "plugin_config": config,
            })
        };
        for (config, field) in [
            (json!({"at_least": "much"}), "/plugin_config/at_least"),
            (json!({"at_most": 100}), "/plugin_config/at_most"),
            (json!([100]), "/plugin_config"),
        ] {
            let refused = tenant.post("/integrations", &integration(&config)).await;
            assert_eq!(fields(&refused), [field], "{name}, {config}: {refused:?}");
        }
        for (config, skips) in [
            (Value::Null, None),
            (json!({}), None),
            (json!({"at_least": 152.11}), None),
            (json!({"at_least": 1000}), Some("the total is below 1000")),
        ] {
            let integration = integration(&config);
            tenant.post("/integrations", &integration).await.expect(201);
            let body = format!(r#"{{"event": {sample}, "integration": {integration}}}"#);
            let shown = tenant
                .call("POST", &format!("/plugins/{name}/versions/1/run"), body)
                .await
                .expect(200);
            let outcome = if skips.is_some() { "skip" } else { "deliver" };
            assert_eq!(
                (text(&shown, "/outcome"), shown["reason"].as_str()),
                (outcome, skips),
                "{name}, {config}: {shown}"
            );
        }
        if mark == "rust" {
            its_test_passes(&project);
        }
    }
}

/// A schema says the same in all languages. That of a type in Rust has the type's words beside it.
fn judges(schema: &Value, name: &str) {
    let at_least = &schema["properties"]["at_least"];
    assert_eq!(
        (&schema["type"], &schema["additionalProperties"], &at_least["type"]),
        (&json!(["object", "null"]), &json!(false), &json!("number")),
        "{name}: {schema}"
    );
    assert_eq!(at_least["default"].as_f64(), Some(0.0), "{name}: {schema}");
    assert_eq!(
        schema["properties"].as_object().map(serde_json::Map::len),
        Some(1),
        "{name}: {schema}"
    );
    assert!(schema.get("required").is_none(), "{name}: {schema}");
}

/// A new project that is called by this name.
fn project(name: &str, within: &Path) -> PathBuf {
    if name != "rust" {
        return new_project(name, within);
    }
    let project = within.join(name);
    create(&project, Language::Rust).expect("a new project");
    share_builds(&project);
    project
}

/// Does what the project's README says.
fn make_configurable(project: &Path, main: &str, mark: &str) {
    let readme = read(&project.join("README.md"));
    let shown = block(&readme, mark);
    assert_eq!(
        shown,
        block(include_str!("../../../plugins/README.md"), mark),
        "both READMEs show the same"
    );
    let main = project.join(main);
    let source = read(&main);
    if mark == "rust" {
        let tests = source.find("#[cfg(test)]").expect("the new project has tests");
        fs::write(&main, format!("{shown}\n{}", &source[tests..])).expect("written");
        return;
    }
    let (inside, beside) = shown.split_once("\n\n").expect("two parts");
    let (before, delivers) = source.split_once("return deliver(").expect("the new project delivers");
    let indent = &before[before.rfind('\n').expect("lines") + 1..];
    let inside: String = inside.lines().map(|line| format!("{line}\n{indent}")).collect();
    fs::write(&main, format!("{before}{inside}return deliver({delivers}\n\n{beside}")).expect("written");

    let description = project.join("hookmill.json");
    let mut described: Value = serde_json::from_str(&read(&description)).expect("JSON");
    described["world"] = json!("configurable-plugin");
    fs::write(&description, described.to_string()).expect("written");
}

/// The tests that a new crate has hold for what its README makes of it, without a word changed in them.
fn its_test_passes(project: &Path) {
    let mut test = Command::new("cargo");
    test.args(["test", "--quiet"]).current_dir(project).env_remove("CARGO_TARGET_DIR");
    let output = test.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("2 passed"), "{output:?}");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
