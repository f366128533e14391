//! Which compiler and which linker build for WebAssembly here.
//!
//! The current compiler (that of the crate's folder, as rustup sees it) comes before Debian's, and for each of them a
//! standard library that is already built before one that is built from source.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{BuildError, cargo};

/// The target that plugins are built for: no system at all, so that there is nothing to deny.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian's package `rustc-web` puts its compiler, beside a rustup that may come first on the path.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that can build for WebAssembly, and what goes with it. Its text names the versions of all that decides
/// about a component's bytes, one on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    pub(crate) rustc: PathBuf,
    pub(crate) sysroot: PathBuf,
    pub(crate) linker: PathBuf,
    /// Whether the standard library is built along.
    pub(crate) std_from_source: bool,
    versions: String,
}

impl Toolchain {
    pub(crate) fn find(dir: &Path) -> Result<Self, BuildError> {
        Self::find_among(&["rustc".as_ref(), DEBIAN_RUSTC.as_ref()], dir)
    }

    /// The first of these compilers that can, as they are seen from a folder.
    fn find_among(rustcs: &[&Path], dir: &Path) -> Result<Self, BuildError> {
        let compilers: Vec<Compiler> = rustcs.iter().filter_map(|rustc| Compiler::ask(rustc, dir)).collect();
        let ready = compilers
            .iter()
            .find(|compiler| compiler.has_std())
            .map(|compiler| (compiler, false));
        let from_source = || {
            compilers
                .iter()
                .find(|compiler| compiler.has_source())
                .map(|compiler| (compiler, true))
        };
        let (compiler, std_from_source) = ready.or_else(from_source).ok_or(BuildError::NoToolchain)?;
        let linker = compilers.iter().find_map(|compiler| compiler.own_linker()).or_else(linker_on_path);
        let linker = linker.ok_or(BuildError::NoLinker)?;
        let versions = [
            first_line(Command::new(&compiler.rustc).arg("--version"), dir).map(|rustc| format!("{rustc} for {}", compiler.host)),
            Some(format!(
                "standard library {}",
                if std_from_source { "from source" } else { "as shipped" }
            )),
            first_line(cargo::command(dir).arg("--version"), dir),
            first_line(Command::new(&linker).args(["-flavor", "wasm", "--version"]), dir)
                .or_else(|| first_line(Command::new(&linker).arg("--version"), dir)),
        ];
        Ok(Self {
            rustc: compiler.rustc.clone(),
            sysroot: compiler.sysroot.clone(),
            linker,
            std_from_source,
            versions: versions.into_iter().flatten().collect::<Vec<_>>().join("\n"),
        })
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.versions)
    }
}

struct Compiler {
    rustc: PathBuf,
    sysroot: PathBuf,
    host: String,
}

impl Compiler {
    /// A compiler as it tells about itself; none if it is not there.
    fn ask(rustc: &Path, dir: &Path) -> Option<Self> {
        let sysroot = first_line(Command::new(rustc).args(["--print", "sysroot"]), dir)?;
        let about = output(Command::new(rustc).arg("-vV"), dir)?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
        Some(Self {
            rustc: rustc.to_owned(),
            sysroot: sysroot.into(),
            host,
        })
    }

    /// Whether it has the standard library for the target.
    fn has_std(&self) -> bool {
        let folder = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        let Ok(files) = folder.read_dir() else { return false };
        files
            .flatten()
            .any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
    }

    /// Whether it has the source that matches it.
    fn has_source(&self) -> bool {
        self.sysroot.join("lib/rustlib/src/rust/library/Cargo.lock").is_file()
    }

    fn own_linker(&self) -> Option<PathBuf> {
        let linker = self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld");
        linker.is_file().then_some(linker)
    }
}

fn linker_on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut candidates = std::env::split_paths(&path).flat_map(|dir| [dir.join("rust-lld"), dir.join("wasm-ld")]);
    candidates.find(|candidate| candidate.is_file())
}

fn first_line(command: &mut Command, dir: &Path) -> Option<String> {
    output(command, dir)?.lines().next().map(|line| line.trim().to_owned())
}

fn output(command: &mut Command, dir: &Path) -> Option<String> {
    let output = command.current_dir(dir).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A compiler that has what is put into its folder.
    fn compiler(sysroot: &Path, has: &[&str]) -> PathBuf {
        for file in has {
            let file = sysroot.join("lib/rustlib").join(file);
            fs::create_dir_all(file.parent().expect("below a folder")).expect("a temporary folder takes folders");
            fs::write(file, "").expect("a temporary folder takes files");
        }
        let rustc = sysroot.join("rustc");
        let says = format!(
            "#!/bin/sh\ncase \"$*\" in\n'--print sysroot') echo '{}' ;;\n*) printf 'rustc of a test\\nhost: here\\n' ;;\nesac\n",
            sysroot.display()
        );
        fs::write(&rustc, says).expect("a temporary folder takes files");
        fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).expect("its owner may");
        rustc
    }

    #[test]
    fn what_is_already_built_comes_first_and_where_nothing_is_it_says_what_to_do() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path();
        let nothing = compiler(&dir.join("nothing"), &["here/bin/rust-lld"]);
        let source = compiler(&dir.join("source"), &["src/rust/library/Cargo.lock"]);
        let built = compiler(&dir.join("built"), &["wasm32-unknown-unknown/lib/libstd-0.rlib"]);
        let found = |rustcs: &[&Path]| Toolchain::find_among(rustcs, dir).map(|found| (found.rustc, found.std_from_source));

        let none: [&[&Path]; 3] = [&[], &[&dir.join("nowhere")], &[&nothing]];
        for rustcs in none {
            let missing = found(rustcs).expect_err("none can");
            assert!(matches!(missing, BuildError::NoToolchain));
            let said = missing.to_string();
            assert!(
                said.contains("rustup target add wasm32-unknown-unknown") && said.contains("rustc-web rust-web-src"),
                "{said}"
            );
        }
        assert_eq!(found(&[&nothing, &source]).ok(), Some((source.clone(), true)));
        assert_eq!(found(&[&nothing, &source, &built]).ok(), Some((built, false)));
    }
}
