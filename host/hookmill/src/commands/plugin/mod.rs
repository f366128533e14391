//! `hookmill plugin`: what a plugin's author does, from a new project to a version on a host.
//!
//! What is judged here is judged by the host's own code: an upload's inspection, an event's envelope, a call and its limits, the rules of
//! what a plugin may ask for. Nothing here opens a data folder; a host is reached by its API alone.

mod backtest;
mod build;
mod check;
mod component;
mod new;
mod push;
mod run;
mod workshop;

use std::process::ExitCode;

use clap::Subcommand;

pub(super) use component::size;

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Makes a new project
    ///
    /// It builds as it stands, and has a test, sample events and a page that tells how to go on.
    New(new::New),
    /// Builds a project into a component
    ///
    /// A crate is built with the wasm target of the Rust toolchain where it is there, else with what else can build for it. A project in
    /// JavaScript or Python wants npm, or Python with pip, which fetch the tools that it names into its folder; one in C wants clang with a C
    /// library for WebAssembly.
    Build(build::Build),
    /// Judges a component as an upload does
    ///
    /// Ends with 0 where a host with these limits takes it, else with 1.
    Check(check::Check),
    /// Runs a component on events, and shows what would be sent
    ///
    /// Ends with 0 where each event ended in requests or a skip, or with --run as on its host; else with 1.
    Run(run::Run),
    /// Times a component on events
    Bench(run::Bench),
    /// Uploads a component to a host
    ///
    /// Bytes that the plugin has already are the version that they were. Ends with 0 where the version is there, and active if it was to be.
    Push(push::Push),
    /// Tries a version on events that a host has stored, beside the version that an integration has
    ///
    /// Ends with 0 where all was compared and nothing would come out otherwise but what fails no longer, with 1 where something would, and with
    /// 2 where that can not be told of all: the host has ended it early or can not be asked, a payload is gone, or there was no event.
    Backtest(backtest::Backtest),
}

impl Plugin {
    /// Carries it out.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Plugin::New(new) => new.run(),
            Plugin::Build(build) => build.run(),
            Plugin::Check(check) => check.run(),
            Plugin::Run(run) => run.run(),
            Plugin::Bench(bench) => bench.run(),
            Plugin::Push(push) => push.run(),
            Plugin::Backtest(backtest) => backtest.run(),
        }
    }
}
