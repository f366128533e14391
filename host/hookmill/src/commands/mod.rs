//! The commands, one file each.

mod configured;
mod demo;
mod export;
mod host;
mod plugin;
mod precompile;
mod serve;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

/// The status of a process that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// What `hookmill` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the host until SIGTERM or Ctrl-C
    Serve(serve::Serve),
    /// Shows a host at work: documented events in, signed webhooks out, on loopback and in a temporary folder
    Demo(demo::Demo),
    /// Compiles the components in use for this binary, before it takes a running host's place
    Precompile(precompile::Precompile),
    /// Makes, builds, checks, runs and uploads plugins
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Fetches a run as one file, to run it again with `hookmill plugin run --run`
    Export(export::Export),
    /// Runs a past delivery again, and says whether its bytes are the same
    Verify(verify::Verify),
}

/// Carries a command out.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Precompile(precompile) => precompile.run(),
        Command::Plugin(plugin) => plugin.run(),
        Command::Export(export) => export.run(),
        Command::Verify(verify) => verify.run(),
    }
}
