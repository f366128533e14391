//! Crates of authors, outside of this repository.

use std::fs;
use std::path::Path;

use hookmill_builder::{BuildError, Options, build, build_all};

use crate::repository;

/// Writes a crate that depends on the SDK, with this library section and source.
fn write_crate(folder: &Path, name: &str, library: &str, source: &str) {
    let sdk = repository("guest-sdk").canonicalize().expect("the SDK is there");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{library}\n[dependencies]\nhookmill-plugin = {{ path = {sdk:?} }}\n\n[workspace]\n"
    );
    fs::create_dir_all(folder.join("src")).expect("a temporary folder takes folders");
    fs::write(folder.join("Cargo.toml"), manifest).expect("a temporary folder takes files");
    fs::write(folder.join("src/lib.rs"), source).expect("a temporary folder takes files");
    // So that the same versions are used, and nothing is asked of a registry.
    fs::copy(repository("plugins/Cargo.lock"), folder.join("Cargo.lock")).expect("a temporary folder takes files");
}

const CDYLIB: &str = "[lib]\ncrate-type = [\"cdylib\"]";

/// They share the folder in which the repository's own guests are built, so that the standard library is built once.
fn options() -> Options {
    Options {
        locked: false,
        target_dir: Some(repository("plugins/target")),
    }
}

#[test]
fn a_crate_outside_becomes_a_component_in_any_folder_alike() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = fs::read_to_string(repository("plugins/examples/first/src/lib.rs")).expect("the example is there");
    let [one, other] = ["one", "another/place"].map(|place| {
        let place = folder.path().join(place);
        write_crate(&place, "first-of-mine", CDYLIB, &source);
        let built = build(&place, &options()).expect("the example builds");
        assert_eq!(built.package, "first-of-mine");
        let component = fs::read(&built.component_path).expect("it was built");
        assert_eq!(component.len(), built.size_bytes);
        component
    });
    assert!(one == other, "the folder shows in the component");
    let folder = folder.path().to_str().expect("temporary folders have plain names");
    assert!(
        !String::from_utf8_lossy(&one).contains(folder),
        "the folder's name stands in the component"
    );
}

#[test]
fn what_is_no_plugin_is_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = folder.path().join("plain");
    write_crate(&plain, "plain", "", "//! Exports nothing.\n");
    assert!(matches!(build(&plain, &options()), Err(BuildError::NotACdylib { package }) if package == "plain"));
    let silent = folder.path().join("silent");
    write_crate(&silent, "silent", CDYLIB, "//! Exports nothing.\n");
    assert!(matches!(build(&silent, &options()), Err(BuildError::NotAPlugin { package }) if package == "silent"));
    let broken = folder.path().join("broken");
    write_crate(&broken, "broken", CDYLIB, "fn broken() -> u8 {}\n");
    assert!(matches!(build(&broken, &options()), Err(BuildError::Cargo { step: "build" })));
    assert!(matches!(build_all(&silent, &["plain"], &options()), Err(BuildError::NoPackage { package, .. }) if package == "plain"));
    let empty = folder.path().join("empty");
    fs::create_dir_all(&empty).expect("a temporary folder takes folders");
    assert!(matches!(build(&empty, &options()), Err(BuildError::Cargo { step: "metadata" })));
}
