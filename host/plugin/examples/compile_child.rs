//! The child process of this crate's tests: what a binary's hidden subcommand does.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookmill_plugin_room::compile_child(std::env::args().skip(1))
}
