//! The plugin is a library for WebAssembly alone, so its parts are compiled into this program.
#![no_main]
#![allow(dead_code, reason = "not everything in the plugin's parts is used here")]

#[path = "../../../plugins/redact/src/redactor.rs"]
mod redactor;
#[path = "../../../plugins/redact/src/settings.rs"]
mod settings;
#[path = "../targets/redact.rs"]
mod target;
#[path = "../targets/tree.rs"]
mod tree;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
