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
    ///
    /// Flags stand over the environment, and the environment over the file; every setting of the file has its variable (HOOKMILL_LISTEN,
    /// HOOKMILL_LIMITS__PLUGIN__CPU_MS, …). HOOKMILL_OPERATOR_KEY sets an operator's API key, for scripts: without it the first start makes
    /// one and writes it to a file. HOOKMILL_KEYRING holds the keyring's text, in place of the file in the data folder.
    ///
    /// The first signal lets what is under way end, within the grace period; another one, a second or more after it, ends all at once.
    Serve(serve::Serve),
    /// Shows a host at work: documented events in, signed webhooks out, on loopback and in a temporary folder
    Demo(demo::Demo),
    /// Compiles the components in use for this binary, before it takes a running host's place
    ///
    /// Ends with 1 if some could not be compiled.
    Precompile(precompile::Precompile),
    /// Makes, builds, checks, runs and uploads plugins
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Fetches a run as one file, to run it again with `hookmill plugin run --run`
    ///
    /// It holds all that the run was called with, and what came of it: the event's data, and no URL, no header's value and no secret.
    Export(export::Export),
    /// Runs a past delivery again, and says whether its bytes are the same
    ///
    /// Ends with 0 where they are the same as what was sent, with 1 where they are not, and with 2 where that can not be known.
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
