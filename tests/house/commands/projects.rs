//! `hookmill plugin new` and `build`: projects as a stranger gets them, from an empty folder to requests.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Files, Said, command, plugin, undisturbed};
use crate::parts::hookmill;
use crate::parts::host::text;
use crate::parts::languages::share_builds;

const DOCUMENT: &str = "5e7a0daf255bf93741177061";

/// A new project.
fn made(files: &Files, language: &str) -> PathBuf {
    let folder = files.path().join("my-totals");
    let said = plugin(["new".as_ref(), folder.as_os_str(), "--lang".as_ref(), language.as_ref()]);
    assert!(said.expect(0).contains("README.md"), "{said:?}");
    folder
}

/// Builds it, as it stands, whatever surrounds it.
fn built(folder: &Path, component: &Path) -> Said {
    let mut build = command(["build".as_ref(), folder.as_os_str(), "-o".as_ref(), component.as_os_str()]);
    build.env_remove("CARGO_TARGET_DIR").stdin(Stdio::null());
    build.output().expect("the binary starts").into()
}

/// Changes a file of a project.
#[track_caller]
fn change(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("it is there");
    assert!(text.contains(from), "{from}: {text}");
    std::fs::write(file, text.replacen(from, to, 1)).expect("written");
}

/// Builds it, and runs it on both of the project's events. What came out of the first is told.
fn runs(files: &Files, folder: &Path) -> Value {
    let component = files.path().join("totals.wasm");
    let said = built(folder, &component);
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
        (&skipped["outcome"], &skipped["reason"]),
        (&json!("skip"), &json!("document_text has no total"))
    );
    let body: Value = serde_json::from_str(text(&told, "/requests/0/body")).expect("JSON");
    assert_eq!(body, json!({"document": DOCUMENT, "total": 152.11}));
    told
}

/// Runs a project's own test as its author does: in its folder, with `hookmill` on the path.
fn tested(folder: &Path, test: &str) -> Said {
    let programs = Files::new();
    // The binary under test may be called otherwise.
    let binary = std::path::absolute(hookmill()).expect("a path");
    symlink(binary, programs.path().join("hookmill")).expect("a temporary folder takes links");
    let path = std::env::var_os("PATH").expect("the languages' tools are on it");
    let path = std::env::join_paths([programs.path().into()].into_iter().chain(std::env::split_paths(&path)));
    let mut words = test.split(' ');
    let mut command = undisturbed(words.next().expect("a program"));
    command.args(words).current_dir(folder).env("PATH", path.expect("no colons"));
    command.stdin(Stdio::null()).output().expect("it starts").into()
}

#[test]
fn a_new_rust_project_builds_and_its_test_passes() {
    let files = Files::new();
    let folder = made(&files, "rust");
    share_builds(&folder);
    let told = runs(&files, &folder);
    assert_eq!(told["requests"][0]["headers"], json!([["content-type", "application/json"]]));

    let mut test = Command::new("cargo");
    test.args(["test", "--quiet"]).current_dir(&folder).env_remove("CARGO_TARGET_DIR");
    let output = test.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("2 passed"), "{output:?}");
}

#[test]
fn a_new_javascript_project_passes_its_test_and_what_it_names_later_is_installed() {
    let files = Files::new();
    let folder = made(&files, "js");
    let said = tested(&folder, "npm test");
    assert!(said.expect(0).contains("pass 2\n"), "{said:?}");

    let mine = folder.join("of-mine");
    std::fs::create_dir(&mine).expect("a new folder");
    let described = json!({"name": "of-mine", "version": "1.0.0", "type": "module", "exports": "./index.js"});
    std::fs::write(mine.join("package.json"), described.to_string()).expect("written");
    std::fs::write(mine.join("index.js"), "export const twice = (n) => 2 * n;\n").expect("written");
    let main = folder.join("plugin.js");
    change(&main, "import ", "import { twice } from 'of-mine';\nimport ");
    change(&main, "'total', total", "'twice', twice(21)");
    built(&folder, &files.path().join("none.wasm")).expect(1);
    change(
        &folder.join("package.json"),
        "\"devDependencies\"",
        "\"dependencies\": {\"of-mine\": \"file:./of-mine\"},\n  \"devDependencies\"",
    );
    assert_eq!(runs(&files, &folder)["log"], json!(["info: twice 42"]));
}

#[test]
fn a_new_python_project_passes_its_test_and_what_it_names_later_is_installed() {
    let files = Files::new();
    let folder = made(&files, "python");
    let main = folder.join("app.py");
    change(&main, "import json\n", "import json\nfrom of_mine import twice\n");
    change(&main, "\"total\": total", "\"total\": twice(total / 2)");
    // Its tools are installed, and the package is not.
    built(&folder, &files.path().join("none.wasm")).expect(1);
    wheel(&folder);
    let requirements = folder.join("requirements.txt");
    let tools = std::fs::read_to_string(&requirements).expect("it is there");
    std::fs::write(&requirements, format!("{tools}./of_mine-1.0-py3-none-any.whl\n")).expect("written");
    let said = tested(&folder, "python3 -m unittest");
    said.expect(0);
    assert!(said.err.contains("Ran 2 tests"), "{said:?}");

    // What is named no more is there no more.
    std::fs::write(&requirements, tools).expect("written");
    built(&folder, &files.path().join("none.wasm")).expect(1);
}

/// A package of Python, as pip installs it without asking anybody: an archive with a module and its description.
fn wheel(folder: &Path) {
    let described = folder.join("of_mine-1.0.dist-info");
    std::fs::create_dir(&described).expect("a new folder");
    for (name, content) in [
        ("METADATA", "Metadata-Version: 2.1\nName: of-mine\nVersion: 1.0\n"),
        (
            "WHEEL",
            "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        (
            "RECORD",
            "of_mine.py,,\nof_mine-1.0.dist-info/METADATA,,\nof_mine-1.0.dist-info/WHEEL,,\nof_mine-1.0.dist-info/RECORD,,\n",
        ),
    ] {
        std::fs::write(described.join(name), content).expect("written");
    }
    let module = folder.join("of_mine.py");
    std::fs::write(&module, "def twice(n):\n    return 2 * n\n").expect("written");
    let mut archive = Command::new("python3");
    archive.args([
        "-m",
        "zipfile",
        "-c",
        "of_mine-1.0-py3-none-any.whl",
        "of_mine.py",
        "of_mine-1.0.dist-info",
    ]);
    assert!(archive.current_dir(folder).status().expect("Python is there").success());
    // Else it would be found in the project's own folder.
    std::fs::remove_file(&module).expect("it was there");
}

#[test]
fn a_new_c_project_builds_and_its_test_passes_while_it_is_right() {
    let files = Files::new();
    let folder = made(&files, "c");
    let told = runs(&files, &folder);
    assert_eq!(told["log"], json!(["stdout: total 152.11"]));
    let said = tested(&folder, "sh test.sh");
    assert_eq!(said.expect(0).matches(": ok: ").count(), 4, "{said:?}");

    change(&folder.join("plugin.c"), "TEXT(id), TEXT(total)", "TEXT(id), TEXT(id)");
    let said = tested(&folder, "sh test.sh");
    assert_eq!(said.expect(1).matches(": ok: ").count(), 3, "{said:?}");
    let came = format!(r#"\"total\": \"{DOCUMENT}\"}}"#);
    assert!(said.err.contains("FAILED") && said.err.contains(&came), "{said:?}");
}

#[test]
fn the_engine_of_javascript_is_chosen() {
    let files = Files::new();
    let folder = files.path().join("mine");
    let new = |language: &str| {
        let (language, engine) = (["--lang", language], ["--engine", "starlingmonkey"]);
        plugin(["new", folder.to_str().expect("plain")].into_iter().chain(language).chain(engine))
    };
    assert_eq!(new("python").expect(1), "");
    new("js").expect(0);
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).expect("a file")).expect("JSON") };
    assert_eq!(read("hookmill.json")["engine"], "starlingmonkey");
    assert_eq!(
        read("package.json")["devDependencies"],
        json!({"@bytecodealliance/componentize-js": "0.23.0"})
    );
}

#[test]
fn what_is_missing_is_said_in_a_line() {
    let files = Files::new();
    let folder = made(&files, "js");
    let built = |folder: &Path, path: &str| {
        let said = Said::from(
            command(["build".as_ref(), folder.as_os_str()])
                .env("PATH", path)
                .env_remove("WASI_SDK_PATH")
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
    std::fs::write(
        folder.join("hookmill.json"),
        r#"{"name": "../../x", "language": "python", "main": "a", "world": "plugin"}"#,
    )
    .expect("written");
    assert!(built(&folder, "").contains("hookmill.json: at /name: `../../x` is no plugin's name"));
    std::fs::write(
        folder.join("hookmill.json"),
        r#"{"name": "a", "language": "c", "main": "a.c", "world": "plugin"}"#,
    )
    .expect("written");
    assert!(built(&folder, "").contains("there is no clang with a C library"));
    let mut elsewhere = command(["build".as_ref(), folder.as_os_str()]);
    let said = Said::from(elsewhere.env("WASI_SDK_PATH", "/nowhere").output().expect("the binary starts"));
    assert!(
        said.expect(1).is_empty() && said.err.contains("below WASI_SDK_PATH, /nowhere"),
        "{said:?}"
    );
    std::fs::write(
        folder.join("hookmill.json"),
        r#"{"name": "a", "language": "c", "engine": "quickjs", "main": "a.c", "world": "plugin"}"#,
    )
    .expect("written");
    assert!(built(&folder, "").contains("`engine` is for the language `js` alone"));
    assert!(built(&folder.join("events"), "").contains("holds no plugin"));
    assert!(built(&folder.join("nowhere"), "").contains("there is no folder"));

    let again = plugin(["new".as_ref(), folder.as_os_str()]);
    assert!(again.err.contains("is not empty"), "{}", again.err);
    assert_eq!(again.expect(1), "");
    let named = plugin(["new".as_ref(), files.path().join("Not A Name").as_os_str()]);
    assert_eq!(named.expect(1), "");
    assert!(named.err.contains("`Not A Name` is no plugin's name"), "{}", named.err);
}
