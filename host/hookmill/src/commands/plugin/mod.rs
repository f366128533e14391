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
    New(new::New),
    /// Builds a project into a component
    Build(build::Build),
    /// Judges a component as an upload does
    Check(check::Check),
    /// Runs a component on events, and shows what would be sent
    Run(run::Run),
    /// Times a component on events
    Bench(run::Bench),
    /// Uploads a component to a host
    Push(push::Push),
    /// Tries a version on events that a host has stored, beside the version that an integration has
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
