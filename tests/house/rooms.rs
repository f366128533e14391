//! The rule of who may see whom, read from the manifests; what only one room may name; and that no guest of the tests lies idle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::parts::host::text;

/// Each room with the rooms that it may see, by the packages' names. `hookmill` joins them all and `hookmill-bench` measures them.
const RULE: [(&str, &[&str]); 7] = [
    ("hookmill-domain", &[]),
    ("hookmill-plugin-room", &["hookmill-domain"]),
    ("hookmill-store", &["hookmill-domain"]),
    ("hookmill-egress", &["hookmill-domain"]),
    (
        "hookmill-flow",
        &["hookmill-domain", "hookmill-plugin-room", "hookmill-store", "hookmill-egress"],
    ),
    ("hookmill-api", &["hookmill-domain", "hookmill-store", "hookmill-flow"]),
    ("hookmill-builder", &[]),
];
const FREE: [&str; 3] = ["hookmill", "hookmill-bench", "hookmill-tests"];

/// What only these may name: by the beginning of the dependency's name.
const NAMED_BY: [(&str, &[&str]); 5] = [
    ("wasmtime", &["hookmill-plugin-room", "hookmill-bench"]),
    ("rusqlite", &["hookmill-store", "hookmill-bench", "hookmill-tests"]),
    ("axum", &["hookmill-api"]),
    ("rustls", &["hookmill-egress"]),
    // All others throw the dice that they are handed.
    ("getrandom", &["hookmill"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Each package of the workspace with the names of all that it depends on, in tests and builds as well.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root());
    let output = metadata.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let package = |package: &Value| {
        let names = package["dependencies"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|dependency| text(dependency, "/name").to_owned());
        (text(package, "/name").to_owned(), names.collect())
    };
    metadata["packages"].as_array().expect("a list").iter().map(package).collect()
}

#[test]
fn rooms_see_only_the_rooms_that_they_may() {
    let packages = packages();
    let is_of_the_house = |name: &&str| name.starts_with("hookmill");
    let known: BTreeSet<&str> = RULE.iter().map(|(room, _)| *room).chain(FREE).collect();
    assert_eq!(
        packages.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        known,
        "every room has its rule"
    );
    for (room, may_see) in RULE {
        let sees: BTreeSet<&str> = packages[room].iter().map(String::as_str).filter(is_of_the_house).collect();
        let may_see = may_see.iter().copied().collect();
        assert!(sees.is_subset(&may_see), "{room} sees {sees:?} and may see {may_see:?}");
    }
    for (dependency, rooms) in NAMED_BY {
        let names = |dependencies: &BTreeSet<String>| dependencies.iter().any(|name| name.starts_with(dependency));
        let namers: BTreeSet<&str> = packages
            .iter()
            .filter(|(_, found)| names(found))
            .map(|(package, _)| package.as_str())
            .collect();
        let rooms = rooms.iter().copied().collect();
        assert!(namers.is_subset(&rooms), "{namers:?} name {dependency}, and {rooms:?} may");
        assert!(!namers.is_empty(), "nobody names {dependency} any more: this rule is stale");
    }
}

/// All files below a folder whose names end so, with their texts.
fn files(folder: &Path, extension: &str, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = std::fs::read_to_string(&path).expect("text");
            found.push((path, text));
        }
    }
}

#[test]
fn sql_stands_in_the_store_alone() {
    const WORDS: [&str; 7] = [
        "SELECT ",
        "INSERT INTO ",
        "INSERT OR ",
        "DELETE FROM ",
        "CREATE TABLE ",
        "PRAGMA ",
        "BEGIN IMMEDIATE",
    ];
    let holds_sql = |text: &str| WORDS.iter().find(|word| text.contains(**word)).copied();
    let mut in_store = Vec::new();
    files(&root().join("host/store/src"), "rs", &mut in_store);
    assert!(
        in_store.iter().any(|(_, text)| holds_sql(text).is_some()),
        "the words are those that SQL is written in"
    );
    let mut elsewhere = Vec::new();
    for room in ["domain", "plugin", "egress", "flow", "api", "hookmill", "builder"] {
        files(&root().join("host").join(room), "rs", &mut elsewhere);
    }
    assert!(elsewhere.len() > 50, "the rooms were found");
    for (path, text) in elsewhere {
        assert_eq!(holds_sql(&text), None, "{}", path.display());
    }
}

/// No room but the front door asks the system for the time or the environment.
#[test]
fn what_only_some_rooms_may_say() {
    for (words, rooms) in [
        (
            ["SystemTime::now(", "Utc::now(", "Timestamp::now("],
            ["domain", "plugin", "store", "egress", "flow", "api"],
        ),
        (
            ["env::var(", "env::var_os(", "env::vars("],
            ["domain", "plugin", "store", "egress", "flow", "api"],
        ),
    ] {
        for room in rooms {
            let mut found = Vec::new();
            files(&root().join("host").join(room).join("src"), "rs", &mut found);
            for (path, text) in found {
                let said = words.iter().find(|word| text.contains(**word));
                assert_eq!(said, None, "{}", path.display());
            }
        }
    }
}

#[test]
fn every_guest_in_text_is_used_by_a_test() {
    let mut tests = Vec::new();
    files(&root().join("tests/house"), "rs", &mut tests);
    let mut guests = Vec::new();
    for folder in ["cores", "components"] {
        files(&root().join("tests/guests/wat").join(folder), "wat", &mut guests);
    }
    assert!(guests.len() > 30, "the guests were found");
    for (path, _) in guests {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let quoted = format!("\"{name}\"");
        assert!(
            tests.iter().any(|(_, text)| text.contains(&quoted)),
            "no test uses the guest {name}"
        );
    }
}
