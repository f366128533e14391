//! Makes plugin projects, and turns them into components.
//!
//! [`create`] writes a project that builds as it stands. [`build_project`] builds a project's folder: a crate of Rust; one in JavaScript
//! or Python, which the tools of the Bytecode Alliance put into a component together with an engine; npm and pip fetch these tools; or one in
//! C, which clang compiles.
//!
//! # Crates
//! In goes the folder of a crate that exports a plugin, out comes a file: cargo builds the crate for
//! `wasm32-unknown-unknown` with whatever compiler of this machine can, and the core module is wrapped into a component
//! in this process. No tool beyond cargo, a compiler and its linker is needed.
//!
//! The bytes of a component depend on its sources, its lock file and the [`Toolchain`], and on nothing else: not on the
//! folder that it is built in, nor on the flags, wrappers and variables of whatever called this. (On systems without
//! `/bin/sh` the folder does matter.)
//!
//! It never runs what it has built; the tools for JavaScript and Python run what stands outside of functions, inside of their sandbox.

mod c;
mod cargo;
mod component;
mod create;
mod error;
mod project;
mod scripts;
mod toolchain;
mod wrapper;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

pub use create::{CreateError, create};
pub use error::BuildError;
pub use project::{Component, Engine, Language, build_project};
pub use toolchain::Toolchain;

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Refuse to change the lock file.
    pub locked: bool,
    /// Where to build; the crate's own target folder if none is named.
    pub target_dir: Option<PathBuf>,
}

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The package that it was built from.
    pub package: String,
    /// Where it lies: `<target folder>/hookmill/<package>.wasm`.
    pub component_path: PathBuf,
    /// How long it is.
    pub size_bytes: usize,
    /// What it was built with.
    pub toolchain: Toolchain,
}

/// Builds the plugin in a crate's folder.
///
/// # Errors
/// When no toolchain is there, when the crate does not build (cargo has said why on stderr), or is no plugin.
pub fn build(crate_dir: &Path, options: &Options) -> Result<Built, BuildError> {
    let workspace = cargo::Workspace::read(crate_dir, options)?;
    let package = workspace.package_at(crate_dir)?;
    let mut built = build_packages(crate_dir, &workspace, &[package], options)?;
    Ok(built.remove(0))
}

/// Builds several plugins of one workspace, with one call of cargo, in the order of their names.
///
/// # Errors
/// As [`build`].
pub fn build_all(workspace_dir: &Path, packages: &[&str], options: &Options) -> Result<Vec<Built>, BuildError> {
    let workspace = cargo::Workspace::read(workspace_dir, options)?;
    let packages = packages
        .iter()
        .map(|name| workspace.package_named(name))
        .collect::<Result<Vec<_>, _>>()?;
    build_packages(workspace_dir, &workspace, &packages, options)
}

/// What the crate in this folder would be built with.
///
/// # Errors
/// When no toolchain is there.
pub fn toolchain(crate_dir: &Path) -> Result<Toolchain, BuildError> {
    Toolchain::find(crate_dir)
}

fn build_packages(
    dir: &Path,
    workspace: &cargo::Workspace,
    packages: &[&cargo::Package],
    options: &Options,
) -> Result<Vec<Built>, BuildError> {
    let toolchain = Toolchain::find(dir)?;
    let out_dir = workspace.target_dir.join("hookmill");
    fs::create_dir_all(&out_dir).map_err(|source| BuildError::file(&out_dir, source))?;
    let modules = cargo::build(dir, workspace, packages, &toolchain, &out_dir, options)?;
    let mut built = Vec::with_capacity(packages.len());
    for (package, module) in packages.iter().zip(modules) {
        let module = fs::read(&module).map_err(|source| BuildError::file(&module, source))?;
        let component = component::encode(&package.name, &module, component::Adapter::None)?;
        let component_path = out_dir.join(format!("{}.wasm", package.name));
        write_whole(&component_path, &component, FileKind::Data)?;
        let (package, size_bytes, toolchain) = (package.name.clone(), component.len(), toolchain.clone());
        built.push(Built {
            package,
            component_path,
            size_bytes,
            toolchain,
        });
    }
    Ok(built)
}

/// Writes a file so that whoever reads it meanwhile sees the old one or the new one, whole.
fn write_whole(path: &Path, content: &[u8], kind: FileKind) -> Result<(), BuildError> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = match kind {
                FileKind::Data => 0o666,
                FileKind::Script => 0o777,
            };
            // As any file that a program makes: less the umask.
            builder.permissions(fs::Permissions::from_mode(mode));
        }
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(content)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| BuildError::file(path, source))
}

/// What is written.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(unix), expect(dead_code, reason = "only Unix tells scripts by their mode"))]
enum FileKind {
    Data,
    Script,
}
