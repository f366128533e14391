//! Cargo as it is called here: free of what surrounds the call, and understood by its JSON.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::toolchain::TARGET;
use crate::{BuildError, Options, Toolchain, wrapper};

/// How a plugin is built whose workspace says nothing about it: small, since every event runs in a fresh instance, and
/// with names for backtraces.
const PROFILE: [&str; 5] = [
    "profile.release.opt-level=\"s\"",
    "profile.release.lto=true",
    "profile.release.codegen-units=1",
    "profile.release.strip=\"debuginfo\"",
    "profile.release.panic=\"abort\"",
];

/// Variables of this kind reach cargo; all others that begin with `CARGO` or `RUST` are of whatever surrounds the call.
const KEPT: [&str; 8] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_TERM_",
    "RUSTUP_",
    "RUST_LOG",
];

/// A workspace, as far as building a plugin must know it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    #[serde(rename = "target_directory")]
    pub(crate) target_dir: PathBuf,
}

/// A package of a workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    manifest_path: PathBuf,
}

impl Workspace {
    pub(crate) fn read(dir: &Path, options: &Options) -> Result<Self, BuildError> {
        let mut command = command(dir);
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let mut workspace: Self = parse("metadata", &run("metadata", command)?)?;
        if let Some(target_dir) = &options.target_dir {
            workspace.target_dir = std::path::absolute(target_dir).map_err(|source| BuildError::file(target_dir, source))?;
        }
        Ok(workspace)
    }

    pub(crate) fn package_at(&self, crate_dir: &Path) -> Result<&Package, BuildError> {
        let manifest = crate_dir.join("Cargo.toml");
        let manifest = manifest.canonicalize().map_err(|source| BuildError::file(&manifest, source))?;
        let is_it = |package: &&Package| package.manifest_path.canonicalize().is_ok_and(|path| path == manifest);
        self.packages
            .iter()
            .find(is_it)
            .ok_or_else(|| self.no_package(crate_dir.display().to_string()))
    }

    pub(crate) fn package_named(&self, name: &str) -> Result<&Package, BuildError> {
        self.packages
            .iter()
            .find(|package| package.name == name)
            .ok_or_else(|| self.no_package(name.to_owned()))
    }

    /// Whether the workspace says itself how a release is built.
    fn has_profile(&self) -> bool {
        let manifest = std::fs::read_to_string(self.workspace_root.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim().starts_with("[profile.release]"))
    }

    fn no_package(&self, package: String) -> BuildError {
        BuildError::NoPackage {
            package,
            workspace: self.workspace_root.clone(),
        }
    }
}

/// A line of `cargo build --message-format=json`.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

/// Builds packages of a workspace, and tells where their core modules lie, in the order of the packages.
pub(crate) fn build(
    dir: &Path,
    workspace: &Workspace,
    packages: &[&Package],
    toolchain: &Toolchain,
    out_dir: &Path,
    options: &Options,
) -> Result<Vec<PathBuf>, BuildError> {
    let mut command = command(dir);
    command.args([
        "build",
        "--release",
        "--message-format=json-render-diagnostics",
        "--target",
        TARGET,
        "--target-dir",
    ]);
    command.arg(out_dir.join("cargo"));
    command.args(packages.iter().flat_map(|package| ["--package", package.id.as_str()]));
    if options.locked {
        command.arg("--locked");
    }
    if !workspace.has_profile() {
        command.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    }
    if toolchain.std_from_source {
        // Cargo calls this unstable; what it needs of it is small, and the alternative is a target that is not there.
        command.args(["-Zbuild-std=std,panic_abort"]).env("RUSTC_BOOTSTRAP", "1");
    }
    command
        .env("RUSTC", &toolchain.rustc)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &toolchain.linker);
    if let Some(wrapper) = wrapper::place(out_dir)? {
        let settled = [cargo_home(), Some(toolchain.sysroot.clone())];
        let settled = settled
            .iter()
            .flatten()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join("\n");
        command.env("RUSTC_WRAPPER", wrapper).env(wrapper::SETTLED_VARIABLE, settled);
    }
    let output = run("build", command)?;
    let mut messages = Vec::new();
    for line in output.lines() {
        messages.push(parse::<Message>("build", line)?);
    }
    packages.iter().map(|package| module_of(package, &messages)).collect()
}

/// Where a package's core module lies.
fn module_of(package: &Package, messages: &[Message]) -> Result<PathBuf, BuildError> {
    let is_module = |message: &&Message| {
        message.reason == "compiler-artifact"
            && message.package_id.as_ref() == Some(&package.id)
            && message
                .target
                .as_ref()
                .is_some_and(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
    };
    let files = messages.iter().filter(is_module).flat_map(|message| &message.filenames);
    let mut modules = files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    modules.next().cloned().ok_or_else(|| BuildError::NotACdylib {
        package: package.name.clone(),
    })
}

/// Cargo in a folder, with the environment cleaned.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_the_surroundings(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    // Set, though to nothing: so that cargo's configuration files are not asked either.
    command.envs([
        ("CARGO_ENCODED_RUSTFLAGS", ""),
        ("RUSTC_WRAPPER", ""),
        ("RUSTC_WORKSPACE_WRAPPER", ""),
    ]);
    command.current_dir(dir);
    command
}

/// Whether a variable speaks of whatever surrounds the call: of a build that this one is part of, or of somebody's habits.
fn is_of_the_surroundings(name: &str) -> bool {
    let of_cargo = name.starts_with("CARGO") || name.starts_with("RUST");
    of_cargo && !KEPT.iter().any(|kept| name.starts_with(kept))
}

/// Where cargo keeps the sources of registries.
fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

/// Runs cargo to its end, which is the author's own command in the foreground: what it says to people goes to stderr.
fn run(step: &'static str, mut command: Command) -> Result<String, BuildError> {
    let failed = |source| BuildError::Run {
        program: "cargo".to_owned(),
        source,
    };
    if let Some(dir) = command.get_current_dir().filter(|dir| !dir.is_dir()) {
        return Err(BuildError::NoFolder { dir: dir.to_owned() });
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(failed)?;
    if !output.status.success() {
        return Err(BuildError::Cargo { step });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parse<T: DeserializeOwned>(step: &'static str, text: &str) -> Result<T, BuildError> {
    serde_json::from_str(text).map_err(|source| BuildError::CargoOutput { step, source })
}

#[cfg(test)]
mod tests {
    use super::is_of_the_surroundings;

    #[test]
    fn flags_and_wrappers_of_the_surroundings_stay_out() {
        let out = [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_BOOTSTRAP",
            "RUSTDOCFLAGS",
            "CARGO",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_INCREMENTAL",
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
        ];
        let kept = [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_MINE_TOKEN",
            "RUSTUP_TOOLCHAIN",
            "PATH",
            "HTTPS_PROXY",
        ];
        assert_eq!(
            out.into_iter().filter(|name| !is_of_the_surroundings(name)).collect::<Vec<_>>(),
            [""; 0]
        );
        assert_eq!(
            kept.into_iter().filter(|name| is_of_the_surroundings(name)).collect::<Vec<_>>(),
            [""; 0]
        );
    }
}
