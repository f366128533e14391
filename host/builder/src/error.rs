//! What can go wrong when a plugin is built.

use std::io;
use std::path::{Path, PathBuf};

use crate::create::NAME_BYTES_MAX;

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No compiler here has the standard library for WebAssembly, nor its source.
    #[error(
        "no Rust compiler here builds for WebAssembly: run `rustup target add wasm32-unknown-unknown`, or on Debian \
         `apt-get install --no-install-recommends rustc-web rust-web-src`"
    )]
    NoToolchain,
    /// The compiler is there, but nothing that links WebAssembly.
    #[error("no WebAssembly linker here: `rust-lld` comes with rustup's toolchains, `wasm-ld` with the package lld")]
    NoLinker,
    /// The crate's folder is not there.
    #[error("there is no folder {dir}", dir = dir.display())]
    NoFolder {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// Cargo could not even be started.
    #[error("could not run {program}")]
    Run {
        /// What was to be run.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// Cargo failed; it has said why on stderr.
    #[error("cargo {step} failed")]
    Cargo {
        /// Its subcommand.
        step: &'static str,
    },
    /// Cargo said something that it is not known to say.
    #[error("could not understand what cargo {step} said")]
    CargoOutput {
        /// Its subcommand.
        step: &'static str,
        /// What did not fit.
        source: serde_json::Error,
    },
    /// There is no such package, or no package at all in the folder.
    #[error("no package {package} in {workspace}")]
    NoPackage {
        /// The package's name, or its folder.
        package: String,
        /// Where it was looked for.
        workspace: PathBuf,
    },
    /// The package makes no module that could become a component.
    #[error("package {package} is no `cdylib`: its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`")]
    NotACdylib {
        /// The package.
        package: String,
    },
    /// The module exports no plugin.
    #[error("package {package} exports no plugin: it needs one call of `hookmill_plugin::export!`")]
    NotAPlugin {
        /// The package.
        package: String,
    },
    /// The module could not be wrapped into a component.
    #[error("could not make a component of package {package}")]
    Component {
        /// The package.
        package: String,
        /// Why not.
        source: anyhow::Error,
    },
    /// The contract could not be made into C.
    #[error("could not make bindings of the world {world} in `wit`")]
    Bindings {
        /// The world.
        world: String,
        /// Why not.
        source: anyhow::Error,
    },
    /// A tool is not there.
    #[error("there is no {tool} here: {hint}")]
    NoTool {
        /// How it is called.
        tool: String,
        /// Where it comes from.
        hint: &'static str,
    },
    /// A tool failed; it has said why on stderr.
    #[error("{tool} failed")]
    Tool {
        /// How it is called.
        tool: String,
    },
    /// What describes a project can not be read.
    #[error("could not understand {path}")]
    Project {
        /// The file.
        path: PathBuf,
        /// What did not fit.
        source: serde_json::Error,
    },
    /// The name that describes a project is no plugin's.
    #[error(
        "{path}: at /name: `{name}` is no plugin's name: 1 to {NAME_BYTES_MAX} lower-case letters, digits, `_` or `-`, beginning with a letter",
        path = path.display()
    )]
    ProjectName {
        /// The file.
        path: PathBuf,
        /// What it says.
        name: String,
    },
    /// The folder holds nothing that could be built.
    #[error("{dir} holds no plugin: neither a Cargo.toml nor a hookmill.json; `hookmill plugin new` makes a project", dir = dir.display())]
    NoProject {
        /// The folder.
        dir: PathBuf,
    },
    /// A file could not be read or written.
    #[error("could not use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl BuildError {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}
