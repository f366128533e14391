//! `hookmill-bench`: what the product reaches of the limit that this machine sets, measured in the same run.
//!
//! ```text
//! cargo build --release                              the product: `hookmill`, run as a process of its own
//! cargo run --release -p hookmill-bench              the river against its floor, at 32 and 48 connections, and then the call
//! cargo run --release -p hookmill-bench -- call      the plugin call beside a bare wasmtime loop, alone
//! cargo run --release -p hookmill-bench -- fairness  one organization beside another whose plugins loop on every event
//! cargo run --release -p hookmill-bench -- density   10,000 plugins on one host: memory, cold calls, start-up
//! cargo run --release -p hookmill-bench -- --help    rounds, events, connections, where the data lies
//! cargo bench -p hookmill-bench                      the same two calls, by criterion
//! ```
//!
//! **Two systems take turns.** Each round starts one of them as a fresh process on an empty folder, pours in events of
//! 1 KiB over keep-alive connections (each posts again as soon as it has its 202), and ends when the last one has
//! reached the receiver. `floor` is the least that a durable webhook host can do, and lives here: hyper in, a SQLite
//! group commit with `synchronous=FULL`, 202, a signed POST by hyper, the attempt recorded; no plugin, no keys, no
//! parsing, no fairness. `hookmill` is the real binary, with the real passthrough component, set up by its API.
//!
//! **What goes in must come out**: a round in which a document did not arrive, or was refused, ends the benchmark with
//! an error. Nothing else is asserted: times are printed, never judged.
//!
//! **How to read it.** Load and receiver share the cores with the system under test, so events per second say what this
//! machine does with all of it, and only the ratio travels. The CPU an event is the server process's alone (user and
//! system time, from the first post to the last delivery). Rounds spread by 10 to 20 %: trust the ratio of the medians
//! and the pairs (each round of the product over the floor's round just before it), and no difference below 5 %.
//!
//! Load and receiver live in the benchmark's own process: only the server's CPU is measured, so a process of their own
//! would show nothing more, and one clock for both ends is what makes post-to-delivery times honest.

mod call;
mod density;
mod event;
mod fairness;
mod floor;
#[path = "../../../tests/guests/guests.rs"]
mod guests;
mod ledger;
mod load;
mod machine;
mod process;
mod receiver;
mod report;
mod river;
mod server;
mod stats;
mod wire;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

pub use call::Loops;

/// The floor has the product's allocator, so that the two differ in what they do alone.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The subcommand that leads to the plugin room's compiling child.
pub const COMPILE_CHILD: &str = "compile-child";

/// Measures Hookmill against the floor that this machine sets.
#[derive(Debug, Parser)]
#[command(name = "hookmill-bench", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    river: river::Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A plugin call beside a bare wasmtime loop
    Call(call::Settings),
    /// An organization beside one whose plugins all loop
    Fairness(fairness::Settings),
    /// Many plugins on one host: memory, cold calls beside warm ones, start-up time
    Density(density::Settings),
    /// The floor's server: started by the benchmark itself.
    #[command(hide = true)]
    Floor(floor::Settings),
    /// Compiles one component: started by the plugin room.
    #[command(name = COMPILE_CHILD, hide = true)]
    CompileChild {
        /// The room's own.
        args: Vec<String>,
    },
}

/// What the program does: it reads its arguments, and prints.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => river::run(&arguments.river).and_then(|()| {
            println!();
            call::run(&call::Settings::default())
        }),
        Some(Command::Call(settings)) => call::run(&settings),
        Some(Command::Fairness(settings)) => fairness::run(&settings),
        Some(Command::Density(settings)) => density::run(&settings),
        Some(Command::CompileChild { args }) => return hookmill_plugin_room::compile_child(args),
        Some(Command::Floor(settings)) => floor::run(&settings),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hookmill-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
