//! Components to upload: those of the repository, those that are built from Rust, and those in WebAssembly text.

use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;
use hookmill_builder::{Options, build_all};

#[path = "../../guests/guests.rs"]
mod guests;

/// The built-in plugins, as they stand in the repository.
pub const PASSTHROUGH: &[u8] = include_bytes!("../../../plugins/passthrough/passthrough.wasm");
pub const FLATTEN: &[u8] = include_bytes!("../../../plugins/flatten/flatten.wasm");

/// A guest in text, as a component's bytes, or whatever else its text makes.
pub fn wat(name: &str, argument: &str) -> Bytes {
    wat::parse_str(guests::wat(name, argument))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
        .into()
}

/// Its text, to be changed before it is parsed.
pub fn guest_text(name: &str) -> String {
    guests::wat(name, "")
}

/// The Rust guest that does what its configuration says.
pub fn probe() -> Bytes {
    built().0.clone()
}

/// The Rust guest that asks WASI for all there is.
pub fn wasi() -> Bytes {
    built().1.clone()
}

/// README's first plugin.
pub fn first() -> Bytes {
    built().2.clone()
}

/// All of them, built once for all tests. Where `tests/run` has built them already, that is a matter of a moment.
fn built() -> &'static (Bytes, Bytes, Bytes) {
    static BUILT: OnceLock<(Bytes, Bytes, Bytes)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let options = Options {
            locked: true,
            target_dir: None,
        };
        let built = build_all(&plugins, &["probe", "wasi", "first"], &options).expect("the guests build");
        let read = |package: &str| {
            let found = built.iter().find(|built| built.package == package).expect("it was asked for");
            std::fs::read(&found.component_path).expect("it was just built").into()
        };
        (read("probe"), read("wasi"), read("first"))
    })
}
