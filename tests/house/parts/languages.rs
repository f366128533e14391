//! Guests that are written in other languages than Rust: each is a new project of its language with another main file, built as its author
//! would build it.
//!
//! Their folders stay in the target folder, with what npm and pip have fetched into them.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{fs, thread};

use bytes::Bytes;
use hookmill_builder::{Engine, Language, Options, build_project, create};

use super::host::copy;

/// What each guest is called, what it is written in, and its main file.
const SOURCES: [(&str, Language, &str, &str); 4] = [
    ("quickjs", Language::Js(Engine::QuickJs), "plugin.js", JAVASCRIPT),
    ("starlingmonkey", Language::Js(Engine::StarlingMonkey), "plugin.js", JAVASCRIPT),
    ("python", Language::Python, "app.py", include_str!("../../guests/python/app.py")),
    ("c", Language::C, "plugin.c", include_str!("../../guests/c/plugin.c")),
];

const JAVASCRIPT: &str = include_str!("../../guests/js/plugin.js");

/// How tools are told to put traps in WASI's place: a guest's name, the tool, and its arguments but for the output.
const STUBBED: [(&str, &str, &str); 2] = [
    (
        "quickjs",
        "node_modules/.bin/componentize-qjs",
        "--sync --stub-wasi --module-root . --world plugin --js plugin.js --wit wit",
    ),
    (
        "python",
        ".venv/bin/componentize-py",
        "--quiet --wit-path wit --world plugin componentize --stub-wasi --python-path . app",
    ),
];

/// What the packages of a project are named in: another one wants others.
const MANIFESTS: [&str; 2] = ["package.json", "requirements.txt"];

/// All of them by name, built once for all tests.
pub fn foreign() -> &'static [(&'static str, Bytes)] {
    static BUILT: OnceLock<Vec<(&str, Bytes)>> = OnceLock::new();
    BUILT.get_or_init(|| {
        thread::scope(|scope| {
            let builds = SOURCES.map(|(name, language, main, source)| scope.spawn(move || (name, built(name, language, main, source))));
            builds.into_iter().map(|build| build.join().expect("the guest builds")).collect()
        })
    })
}

fn built(name: &str, language: Language, main: &str, source: &str) -> Bytes {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let project = temporary.path().join(name);
    create(&project, language).expect("a new project");
    fs::write(project.join(main), source).expect("its main file is written");
    let folder = folder().join(name);
    let read = |folder: &Path| MANIFESTS.map(|manifest| fs::read(folder.join(manifest)).ok());
    if folder.exists() && read(&folder) != read(&project) {
        fs::remove_dir_all(&folder).expect("it is the tests' own");
    }
    copy(&project, &folder);
    let built = build_project(&folder, &Options::default()).unwrap_or_else(|error| panic!("{name}: {:#}", anyhow::Error::from(error)));
    fs::read(built.path).expect("it was just built").into()
}

/// Guests that have traps in WASI's place, by the names of those that have not. One of the large engine for JavaScript would take the compiler
/// half a minute more.
pub fn stubbed() -> Vec<(&'static str, Bytes)> {
    // Their tools and sources are there then.
    foreign();
    let built = |(name, tool, arguments): (&'static str, &str, &str)| {
        let folder = folder().join(name);
        let output = folder.join("build/stubbed.wasm");
        let mut build = Command::new(folder.join(tool));
        build.args(arguments.split(' ')).arg("-o").arg(&output).current_dir(&folder);
        let status = build.env("VIRTUAL_ENV", folder.join(".venv")).status().expect("the tool starts");
        assert!(status.success(), "{name}");
        (name, fs::read(output).expect("it was just built").into())
    };
    STUBBED.map(built).into()
}

/// A new project in the language of the guest of this name, and called as it is. What npm and pip have fetched for the guest, it has, too.
pub fn new_project(name: &str, within: &Path) -> PathBuf {
    // They have fetched it then.
    foreign();
    let (_, language, ..) = SOURCES.into_iter().find(|(guest, ..)| *guest == name).expect("a guest's name");
    let project = within.join(name);
    create(&project, language).expect("a new project");
    for fetched in ["node_modules", "package-lock.json", ".venv"] {
        let from = folder().join(name).join(fetched);
        if from.exists() {
            symlink(from, project.join(fetched)).expect("a temporary folder takes links");
        }
    }
    project
}

/// Has a new crate built where the repository's own guests are: the standard library for WebAssembly and the dependencies are built once.
pub fn share_builds(project: &Path) {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/target");
    fs::create_dir_all(&shared).expect("it can be made");
    let shared = shared.canonicalize().expect("it is there");
    let configuration = format!("[build]\ntarget-dir = {shared:?}\n");
    fs::create_dir(project.join(".cargo")).expect("a new folder");
    fs::write(project.join(".cargo/config.toml"), configuration).expect("a new file");
}

/// Where they are built, in the target folder.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests")
}
