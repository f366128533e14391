//! The generated side of the contract: what crosses the boundary, in the shapes of `wit/`.
//!
//! Nothing of it is for authors: the rest of the crate has types of its own, and converts at the edge, in `glue`. The
//! interface `configuration` has a world of its own, because a component must define whatever its world exports, and
//! not every plugin has a configuration. A component's world is the union of those that its crate exports.

#[expect(missing_docs, reason = "generated; the contract's documentation is in wit/")]
pub mod transformer {
    wit_bindgen::generate!({
        path: "../wit",
        world: "plugin",
        pub_export_macro: true,
        export_macro_name: "export_transformer",
    });
}

#[expect(missing_docs, reason = "generated; the contract's documentation is in wit/")]
pub mod configuration {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package hookmill:sdk;
            world configured { export hookmill:plugin/configuration@1.0.0; }
        ",
        pub_export_macro: true,
        export_macro_name: "export_configuration",
    });
}

#[cfg(target_family = "wasm")]
pub(crate) use transformer::hookmill::plugin::log;
