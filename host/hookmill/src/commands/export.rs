//! `hookmill export`: a run as one file, for `hookmill plugin run --run`.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use hookmill_domain::ids::RunId;
use http::Method;
use serde::de::IgnoredAny;

use super::host::Host;
use crate::screen::{Screen, plain, strong};

/// What the event holds is for its owner: the file is for whoever asked for it, alone.
const MODE: u32 = 0o600;

/// Fetches all that a run was called with, and what came of it. There is no URL, no header's value and no secret in it, but there is the
/// event's data.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The run's id: `run_…`
    #[arg(value_name = "RUN")]
    run: RunId,
    /// The file that is written; without it, standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    host: Host,
}

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let file = self.host.ask(Method::GET, &format!("/runs/{}/export", self.run))?;
        serde_json::from_slice::<IgnoredAny>(&file).context("the host's answer can not be read")?;
        let mut screen = Screen::stdout();
        match &self.output {
            None => screen.bytes(&file)?,
            Some(output) => {
                write(output, &file).with_context(|| format!("can not write {}", output.display()))?;
                let name = output.display().to_string();
                screen.line(&[strong(self.run.to_string()), plain(" is in "), strong(&name)])?;
                screen.line(&[plain(format!("  hookmill plugin run COMPONENT --run {name}"))])?;
            }
        }
        screen.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.write_all(bytes)
}
