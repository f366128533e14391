//! What makes a build the same in every folder: a script that stands between cargo and the compiler.
//!
//! Cargo mixes the absolute folder of a crate that lies outside of its workspace into the crate's identity, which ends
//! up in symbol names and in the order of functions; and a crate's sources are named by absolute path, which ends up in
//! the messages of its panics. The script gives crates without a registry an identity by name and version, and every
//! crate a folder of the same kind.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{BuildError, FileKind, write_whole};

/// The variable that tells the script where crates lie whose identity cargo already makes the same everywhere: their
/// folders begin with one of its lines.
pub(crate) const SETTLED_VARIABLE: &str = "HOOKMILL_SETTLED";

const SCRIPT: &str = r#"#!/bin/sh
# Called by cargo in place of the compiler, with the compiler in front of its arguments: see hookmill's builder.
rustc=$1
shift
if [ -z "${CARGO_MANIFEST_DIR-}" ] || [ -z "${CARGO_PKG_NAME-}" ]; then
  exec "$rustc" "$@"
fi
crate=$CARGO_PKG_NAME-$CARGO_PKG_VERSION
settled=
IFS='
'
for folder in ${HOOKMILL_SETTLED-}; do
  case $CARGO_MANIFEST_DIR in "$folder"/*) settled=1 ;; esac
done
left=$#
while [ "$left" -gt 0 ]; do
  argument=$1
  shift
  case $settled$argument in metadata=*) argument=metadata=$crate ;; esac
  set -- "$@" "$argument"
  left=$((left - 1))
done
if [ -n "${OUT_DIR-}" ]; then
  set -- "$@" "--remap-path-prefix=$OUT_DIR=/$crate/out"
fi
exec "$rustc" "$@" "--remap-path-prefix=$CARGO_MANIFEST_DIR=/$crate" --remap-path-scope=object
"#;

/// Puts the script into a folder, unless it is there already, and tells its path. None where scripts do not run.
pub(crate) fn place(folder: &Path) -> Result<Option<PathBuf>, BuildError> {
    if !cfg!(unix) {
        return Ok(None);
    }
    let path = folder.join("rustc.sh");
    if fs::read(&path).is_ok_and(|script| script == SCRIPT.as_bytes()) {
        return Ok(Some(path));
    }
    write_whole(&path, SCRIPT.as_bytes(), FileKind::Script)?;
    Ok(Some(path))
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::{SETTLED_VARIABLE, place};

    /// What the compiler is called with for a crate in a folder, when cargo calls it with these arguments.
    fn called(crate_folder: Option<&str>, arguments: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = place(folder.path()).expect("it can be written").expect("Unix runs scripts");
        let mut command = Command::new(script);
        command
            .env_clear()
            .env(SETTLED_VARIABLE, "/home/me/.cargo\n/usr/lib")
            .args(["printf", "%s\\n"])
            .args(arguments);
        if let Some(crate_folder) = crate_folder {
            command.envs([
                ("CARGO_MANIFEST_DIR", crate_folder),
                ("CARGO_PKG_NAME", "a-b"),
                ("CARGO_PKG_VERSION", "1.2.3"),
            ]);
        }
        let output = command.env("PATH", "/usr/bin:/bin").output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .expect("it is text")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_crate_of_no_registry_is_known_by_name_and_version() {
        assert_eq!(
            called(Some("/my folder/x"), &["-C", "metadata=0123", "-C", "extra-filename=-0123", "a b*"]),
            [
                "-C",
                "metadata=a-b-1.2.3",
                "-C",
                "extra-filename=-0123",
                "a b*",
                "--remap-path-prefix=/my folder/x=/a-b-1.2.3",
                "--remap-path-scope=object",
            ]
        );
    }

    #[test]
    fn a_crate_of_a_registry_keeps_its_identity() {
        let folder = "/home/me/.cargo/registry/src/x/a-b-1.2.3";
        let prefix = format!("--remap-path-prefix={folder}=/a-b-1.2.3");
        assert_eq!(
            called(Some(folder), &["metadata=0123"]),
            ["metadata=0123", &prefix, "--remap-path-scope=object"]
        );
        assert_eq!(called(Some("/usr/lib/rustlib/x"), &["metadata=0123"])[0], "metadata=0123");
        assert_eq!(called(Some("/usr/library/x"), &["metadata=0123"])[0], "metadata=a-b-1.2.3");
    }

    #[test]
    fn what_is_asked_of_the_compiler_itself_passes_through() {
        assert_eq!(called(None, &["-vV"]), ["-vV"]);
    }

    #[test]
    fn the_script_is_written_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let written = || {
            let script = place(folder.path()).expect("it can be written").expect("Unix runs scripts");
            std::fs::metadata(script)
                .expect("it is there")
                .modified()
                .expect("files have times")
        };
        assert_eq!(written(), written());
    }
}
