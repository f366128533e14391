//! Builds guests of this repository, for whoever has no `hookmill` yet: `build PACKAGE…` builds some of the workspace
//! `plugins`; `build --commit` builds the components that stand in the repository, and puts them there together with the
//! name of the toolchain that made them.

use std::fs;
use std::path::Path;

use anyhow::Context;
use hookmill_builder::{Options, build_all};

/// The plugins whose components stand in the repository.
const COMMITTED: [&str; 4] = ["passthrough", "flatten", "filter", "redact"];

fn main() -> anyhow::Result<()> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let commit = arguments == ["--commit"];
    let packages = if commit { COMMITTED.as_slice() } else { arguments.as_slice() };
    for built in build_all(
        &plugins,
        packages,
        &Options {
            locked: true,
            target_dir: None,
        },
    )? {
        println!("{}: {} bytes, {}", built.package, built.size_bytes, built.component_path.display());
        if commit {
            let place = plugins.join(&built.package).join(format!("{}.wasm", built.package));
            fs::copy(&built.component_path, &place).with_context(|| place.display().to_string())?;
            fs::write(plugins.join("toolchain.txt"), format!("{}\n", built.toolchain))?;
        }
    }
    Ok(())
}
