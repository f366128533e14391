//! The guests that are written in WebAssembly text. Tests that need them include this file as a module, by its path.
//!
//! Most are a core module in `wat/cores`, set into the component of `wat/shell.wat`; those that do not fit into it are
//! whole, in `wat/components`. They need no toolchain, and show plainly what they do.

/// The text of a guest's component, by the name of its file. Two take an argument, which stands in their text where it
/// says `ARGUMENT`: `label` its label, `schema` its schema.
///
/// # Panics
/// When there is no such guest.
pub(crate) fn wat(name: &str, argument: &str) -> String {
    if let Some((_, component)) = COMPONENTS.iter().find(|(known, _)| *known == name) {
        return (*component).to_owned();
    }
    let Some((_, core)) = CORES.iter().find(|(known, _)| *known == name) else {
        panic!("no guest {name}")
    };
    let mut component = include_str!("wat/shell.wat").replace(";; the core module", core);
    if core.contains("(export \"schema\")") {
        component = component.replace("(; configuration ;)", include_str!("wat/configuration.wat"));
    }
    if core.contains("(export \"post-return\")") {
        component = component.replace("(; post-return ;)", "(post-return (core func $core \"post-return\"))");
    }
    component.replace("ARGUMENT", &quoted(argument))
}

/// Text inside of a string of WebAssembly text.
fn quoted(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

macro_rules! texts {
    ($folder:literal: $($name:literal,)*) => {
        &[$(($name, include_str!(concat!("wat/", $folder, "/", $name, ".wat")))),*]
    };
}

/// Core modules, for the shell.
const CORES: &[(&str, &str)] = texts! { "cores":
    "body-not-utf-8",
    "body-outside",
    "body-shared",
    "divide",
    "headers-many",
    "label",
    "loop",
    "memory-grow",
    "memory-initial",
    "outcome-misaligned",
    "outcome-outside",
    "outcome-unknown",
    "passthrough",
    "post-return-loop",
    "post-return-trap",
    "realloc-loop",
    "realloc-misaligned",
    "realloc-outside",
    "realloc-overlapping",
    "realloc-trap",
    "recurse",
    "requests-many",
    "requests-outside",
    "schema",
    "schema-loop",
    "schema-outside",
    "schema-trap",
    "start-loop",
    "start-trap",
    "table-grow",
    "table-initial",
    "trap",
};

/// Whole components, and what is none.
const COMPONENTS: &[(&str, &str)] = texts! { "components":
    "core-module",
    "empty",
    "future-major",
    "log-outside",
    "no-transform",
    "other-interface",
    "unknown-import",
    "wasi-http",
    "wrong-signature",
};
