//! The components of `plugins/` that stand in the repository are what their sources make.
//!
//! Their bytes depend on the toolchain, which `plugins/toolchain.txt` names. With another one this compares what the
//! components import and export, and says so; that both do the same is for a test of the house, which runs both.

use std::fs;

use hookmill_builder::{Options, build_all};
use wasmparser::{Parser, Payload};

use crate::repository;

#[test]
fn committed_components_are_what_their_sources_make() {
    let plugins = repository("plugins");
    let options = Options {
        locked: true,
        target_dir: None,
    };
    let recorded = fs::read_to_string(plugins.join("toolchain.txt")).expect("the toolchain is recorded");
    for built in build_all(&plugins, &["passthrough", "flatten", "filter", "redact"], &options).expect("the plugins build") {
        let committed = plugins.join(&built.package).join(format!("{}.wasm", built.package));
        let committed = fs::read(&committed).expect("the component stands in the repository");
        let rebuilt = fs::read(&built.component_path).expect("it was built");
        if built.toolchain.to_string() == recorded.trim_end() {
            let hint = "build it anew with `cargo run -p hookmill-builder --example build -- --commit`";
            assert!(
                committed == rebuilt,
                "{}: the sources make other bytes than stand in the repository: {hint}",
                built.package
            );
        } else {
            eprintln!(
                "{}: another toolchain than the recorded one, so only imports and exports are compared",
                built.package
            );
            assert_eq!(interface(&committed), interface(&rebuilt), "{}", built.package);
        }
    }
}

/// What a component imports and exports, at its top.
fn interface(component: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("it is a component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(imports) if depth == 0 => {
                names.extend(
                    imports
                        .into_iter()
                        .map(|import| format!("import {}", import.expect("it is valid").name.name)),
                );
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                names.extend(
                    exports
                        .into_iter()
                        .map(|export| format!("export {}", export.expect("it is valid").name.name)),
                );
            }
            _ => {}
        }
    }
    names.sort();
    names
}
