//! What tests are made of.

pub mod calls;
pub mod client;
pub mod clock;
pub mod components;
pub mod host;
pub mod looks;
pub mod receiver;
pub mod river;

use std::path::PathBuf;

/// The binary under test, which `tests/run` has built beside this one.
pub fn hookmill() -> PathBuf {
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
