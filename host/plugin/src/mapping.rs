//! Maps verified machine code: the one place that takes bytes for code on trust.
#![expect(
    unsafe_code,
    reason = "loading compiled code is unsafe by its nature; what makes it sound stands below"
)]

use std::os::fd::AsRawFd as _;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::artifacts::Verified;

/// Maps an artifact. The file stays open and mapped as long as the component lives.
pub(crate) fn map(engine: &Engine, artifact: &Verified) -> wasmtime::Result<Component> {
    // Through the open file and not by name: what is mapped is the very file whose bytes were verified, whatever has been renamed to
    // its name since.
    let path = if cfg!(target_os = "linux") {
        format!("/proc/self/fd/{}", artifact.file.as_raw_fd()).into()
    } else {
        artifact.path.clone()
    };
    // SAFETY: the bytes are those that this binary's own compiler wrote in its child process: their SHA-256 was compared with the one
    // taken when they came out of it. Nobody else can write to the file, which lies in a folder of mode 0700 of this user, and the
    // host never changes such a file in place: it writes another and renames it.
    unsafe { Component::deserialize_file(engine, path) }
}
