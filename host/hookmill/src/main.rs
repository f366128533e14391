//! The front door of Hookmill, the webhook delivery host: the command line, one file a command.
//!
//! It alone knows the whole house: it reads the configuration, makes the real clock, opens the rooms and joins them. Its other commands
//! use the API as any client would, since the data folder belongs to the one `serve` that has locked it; `precompile` reads it beside that one.

mod clock;
mod commands;
mod config;
mod demo;
mod house;
mod json;
mod screen;
mod signals;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use commands::Command;

/// Much of what an event allocates is freed by another thread than its own: this allocator takes that more lightly than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The webhook delivery host: takes document events in, runs an integration's WebAssembly component on each, and delivers what comes out.
#[derive(Debug, Parser)]
#[command(name = "hookmill", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    // The compiling child sets its own limits before it does anything else, so it is told from the rest before anything is set up.
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(house::COMPILE_COMMAND) {
        return hookmill_plugin_room::compile_child(arguments);
    }
    match commands::run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            screen::report(&error);
            ExitCode::FAILURE
        }
    }
}
