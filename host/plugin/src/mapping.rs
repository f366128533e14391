//! Maps machine code: the one place that takes bytes for code on trust.
//!
//! What is still trusted in a compile child's output, once its size was checked and its SHA-256 found to be the one taken as it came
//! out of the child:
//!
//! - That it is what Cranelift makes of the component, and of nothing else. The digest tells that the bytes are those that the child
//!   put out, not that they are right. The engine looks at the file's head (its own version, the processor, the settings), not at the
//!   code: a miscompilation, or a component that takes over the compiler in the child, would run in the host's process with all its
//!   rights. A child's limits bound what compiling uses up, not what its output does.
//! - The kernel's filter of system calls (`seal.rs`), which on Linux keeps the child from files, sockets and processes; elsewhere it runs
//!   as the host's user, with limits on its resources alone.
//! - The tables beside the code (functions, traps, types, how memory is laid out), which the engine reads unchecked.
//! - What is read off the mapped component: its imports, its exports and their types. They decide which contract it is linked by.
//! - The folder's owner. The digest lies beside the artifact and is no signature: who can write as this user can replace both.
//! - The file's bytes between their verification and their use, since the pages are read when they are touched. A disk that goes bad
//!   after that is not noticed before the next load.
//!
//! What is [`taken`] from a child at once is trusted in the first four alone: it lies in no folder and on no disk.
//!
//! A child that judges a configuration puts out a verdict, which is read as bounded JSON and believed.
#![expect(
    unsafe_code,
    reason = "loading compiled code is unsafe by its nature; what makes it sound stands below"
)]

use std::os::fd::AsRawFd as _;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::artifacts::Verified;
use crate::compiling::Fresh;

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

/// Takes an artifact out of the hands of the child that made it.
pub(crate) fn taken(engine: &Engine, artifact: &Fresh) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are what this binary's own compiler wrote in its child process, as they came out of its pipe: a `Fresh` is made
    // there alone, and nothing changes it.
    unsafe { Component::deserialize(engine, artifact.bytes()) }
}
