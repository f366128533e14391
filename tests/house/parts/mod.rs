//! What tests are made of.

pub mod calls;
pub mod client;
pub mod clock;
pub mod components;
pub mod disk;
pub mod gate;
pub mod host;
pub mod languages;
pub mod looks;
pub mod readme;
pub mod receiver;
pub mod river;

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

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

/// A file of the kernel's own, to wait until it can be read.
fn waitable(file: OwnedFd) -> AsyncFd<OwnedFd> {
    #[expect(
        deprecated,
        reason = "what replaces it is unsafe, for files that may change, as an owned one does not"
    )]
    AsyncFd::with_interest(file, Interest::READABLE).expect("it can be waited for")
}
