//! `hookmill-bench`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookmill_bench::run()
}
