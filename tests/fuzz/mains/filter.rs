//! The plugin is a library for WebAssembly alone, so its parts are compiled into this program.
#![no_main]
#![allow(dead_code, reason = "not everything in the plugin's parts is used here")]

#[path = "../../../plugins/filter/src/condition.rs"]
mod condition;
#[path = "../../../plugins/filter/src/judge.rs"]
mod judge;
#[path = "../../../plugins/filter/src/number.rs"]
mod number;
#[path = "../targets/filter.rs"]
mod target;
#[path = "../targets/tree.rs"]
mod tree;
#[path = "../../../plugins/filter/src/value.rs"]
mod value;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
