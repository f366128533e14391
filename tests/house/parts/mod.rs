//! What tests are made of.

pub mod calls;
pub mod client;
pub mod clock;
pub mod components;
pub mod host;
pub mod languages;
pub mod looks;
pub mod receiver;
pub mod river;

use std::path::PathBuf;

/// The binary under test: what `TESTED_HOOKMILL` names, else the one that `tests/run` has built beside this one.
pub fn hookmill() -> PathBuf {
    if let Some(binary) = std::env::var_os("TESTED_HOOKMILL") {
        return binary.into();
    }
    let tests = std::env::current_exe().expect("a test knows its own path");
    let folder = tests
        .parent()
        .and_then(|deps| deps.parent())
        .expect("tests are built into target/<profile>/deps");
    let binary = folder.join("hookmill");
    assert!(
        binary.is_file(),
        "{} is not there: run tests/run, or cargo build -p hookmill first",
        binary.display()
    );
    binary
}
