//! The files of a new project, by language. They stand in this program: the templates, the contract, the SDK's sources, sample events.

use crate::{Engine, Language};

/// What a template says where the project's name shall stand.
const NAME: &str = "{{name}}";
/// Where the version of the SDK shall stand.
const VERSION: &str = "{{version}}";
/// Where the engine of JavaScript shall stand, the tool that makes components with it, and the version of that tool.
const ENGINE: [&str; 3] = ["{{engine}}", "{{tool}}", "{{tool version}}"];

/// The contract.
const WIT: &str = include_str!("../../../../wit/hookmill-plugin.wit");
/// The versions that the SDK is tested with.
const LOCK: &str = include_str!("../../../../plugins/Cargo.lock");

macro_rules! templates {
    ($language:literal: $($path:literal from $file:literal,)*) => {
        &[$(($path, include_str!(concat!("../../templates/", $language, "/", $file)))),*]
    };
}

macro_rules! samples {
    ($($name:literal,)*) => {
        &[$((concat!("events/", $name), include_str!(concat!("../../../../tests/samples/", $name)))),*]
    };
}

macro_rules! sources {
    ($($path:literal,)*) => {
        &[$((concat!("sdk/hookmill-plugin/src/", $path), include_str!(concat!("../../../../guest-sdk/src/", $path)))),*]
    };
}

type Files = &'static [(&'static str, &'static str)];

const EVENTS: Files = samples! { "document_predict.json", "document_text.json", };

const RUST: Files = templates! { "rust":
    "Cargo.toml" from "project.toml",
    "src/lib.rs" from "lib.rs",
    "README.md" from "README.md",
    "sdk/hookmill-plugin/Cargo.toml" from "sdk.toml",
};

const JS: Files = templates! { "js":
    "hookmill.json" from "hookmill.json",
    "package.json" from "package.json",
    "plugin.js" from "plugin.js",
    "hookmill.js" from "hookmill.js",
    "plugin.test.js" from "plugin.test.js",
    "README.md" from "README.md",
};

const PYTHON: Files = templates! { "python":
    "hookmill.json" from "hookmill.json",
    "requirements.txt" from "requirements.txt",
    "app.py" from "app.py",
    "hookmill.py" from "hookmill.py",
    "test_app.py" from "test_app.py",
    "README.md" from "README.md",
};

const C: Files = templates! { "c":
    "hookmill.json" from "hookmill.json",
    "plugin.c" from "plugin.c",
    "hookmill.c" from "hookmill.c",
    "hookmill.h" from "hookmill.h",
    "test.sh" from "test.sh",
    "README.md" from "README.md",
};

/// The SDK, but for its tests, which read files of this repository.
const SDK: Files = sources! {
    "arena.rs",
    "bindings.rs",
    "config.rs",
    "documents/lazy.rs",
    "documents/lenient.rs",
    "documents/mod.rs",
    "documents/prediction.rs",
    "event.rs",
    "glue.rs",
    "json.rs",
    "lib.rs",
    "log.rs",
    "plugin.rs",
    "request.rs",
    "whole.rs",
};

/// The module of the SDK's tests is named by `documents/mod.rs`.
const SDK_TESTS: (&str, &str) = (
    "sdk/hookmill-plugin/src/documents/tests.rs",
    "//! The tests stand in the SDK's own repository, with the documents that they read.\n",
);

/// Each file's path in the project, and its content.
pub(crate) fn of(language: Language, name: &str) -> Vec<(&'static str, String)> {
    let (templates, wit, ignored) = match language {
        Language::Rust => (RUST, "sdk/wit/hookmill-plugin.wit", "/target/\n*.wasm\n"),
        Language::Js(_) => (JS, "wit/hookmill-plugin.wit", "/node_modules/\n/build/\n*.wasm\n"),
        Language::Python => (PYTHON, "wit/hookmill-plugin.wit", "/.venv/\n/build/\n__pycache__/\n*.wasm\n"),
        Language::C => (C, "wit/hookmill-plugin.wit", "/build/\n*.wasm\n"),
    };
    let filled = |(path, text): &(&'static str, &str)| (*path, filled(text, language, name));
    let as_it_is = |(path, text): &(&'static str, &str)| (*path, (*text).to_owned());
    let mut files: Vec<_> = templates.iter().map(filled).collect();
    files.extend(EVENTS.iter().map(as_it_is));
    files.push((wit, WIT.to_owned()));
    files.push((".gitignore", ignored.to_owned()));
    if language == Language::Rust {
        files.extend(SDK.iter().chain([&SDK_TESTS]).map(as_it_is));
        files.push(("Cargo.lock", lock()));
    }
    files
}

fn filled(template: &str, language: Language, name: &str) -> String {
    let mut text = template.replace(NAME, name).replace(VERSION, env!("CARGO_PKG_VERSION"));
    if let Language::Js(engine) = language {
        let values = match engine {
            Engine::QuickJs => ["quickjs", "componentize-qjs", "0.4.5"],
            Engine::StarlingMonkey => ["starlingmonkey", "@bytecodealliance/componentize-js", "0.23.0"],
        };
        for (mark, value) in ENGINE.into_iter().zip(values) {
            text = text.replace(mark, value);
        }
    }
    text
}

/// The lock file without the packages of this repository; cargo adds the project's own.
fn lock() -> String {
    let mut packages = LOCK.split("\n[[package]]\n");
    let mut lock = packages.next().unwrap_or_default().to_owned();
    for package in packages.filter(|package| package.contains("\nsource = ")) {
        lock.push_str("\n[[package]]\n");
        lock.push_str(package);
    }
    lock
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn repository(path: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
    }

    fn sources(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("the SDK is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                let below = path.strip_prefix(repository("guest-sdk/src")).expect("below it");
                found.insert(format!("sdk/hookmill-plugin/src/{}", below.display()));
            }
        }
    }

    #[test]
    fn the_sdk_is_whole() {
        let mut there = BTreeSet::new();
        sources(&repository("guest-sdk/src"), &mut there);
        let written = SDK.iter().chain([&SDK_TESTS]).map(|(path, _)| (*path).to_owned());
        assert_eq!(written.collect::<BTreeSet<_>>(), there);
    }

    /// What the SDK depends on is written in two places, since the template belongs to no workspace.
    #[test]
    fn the_sdk_depends_on_what_it_does_here() {
        let workspace = fs::read_to_string(repository("plugins/Cargo.toml")).expect("the workspace is there");
        let manifest = fs::read_to_string(repository("guest-sdk/Cargo.toml")).expect("the SDK is there");
        let (_, template) = RUST
            .iter()
            .find(|(path, _)| path.ends_with("sdk/hookmill-plugin/Cargo.toml"))
            .expect("listed");
        let section = |text: &str, name: &str| -> Vec<String> {
            let after = text.split(name).nth(1).unwrap_or_default();
            let lines = after.split("\n[").next().unwrap_or_default().lines();
            lines.filter(|line| line.contains('=')).map(str::to_owned).collect()
        };
        let dependencies = section(template, "[dependencies]");
        let names = section(&manifest, "[dependencies]");
        assert_eq!(dependencies.len(), names.len());
        for dependency in dependencies {
            assert!(
                section(&workspace, "[workspace.dependencies]").contains(&dependency),
                "{dependency}"
            );
        }
        assert_eq!(section(template, "[features]"), section(&manifest, "[features]"));
    }

    #[test]
    fn names_are_filled_in() {
        let engines = [Engine::QuickJs, Engine::StarlingMonkey].map(Language::Js);
        for language in [Language::Rust, Language::Python, Language::C].into_iter().chain(engines) {
            let files = of(language, "my-plugin");
            assert!(files.iter().any(|(_, content)| content.contains("my-plugin")), "{language:?}");
            // The SDK's sources are no templates.
            for (path, content) in files.iter().filter(|(path, _)| !path.starts_with("sdk/hookmill-plugin/src/")) {
                assert!(!content.contains("{{"), "{path}");
            }
        }
    }

    #[test]
    fn the_lock_names_registries_alone() {
        let lock = lock();
        assert!(lock.contains("name = \"wit-bindgen\"") && !lock.contains("name = \"hookmill-plugin\""));
        assert_eq!(lock.matches("[[package]]").count(), lock.matches("\nsource = ").count());
    }
}
