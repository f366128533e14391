//! `hookmill plugin build`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

/// Builds with the wasm target of the Rust toolchain where it is there, else with what else can build for it.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The crate's folder
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// Where to copy the component to
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Build {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let built = hookmill_builder::build(&self.folder, &hookmill_builder::Options::default())?;
        let place = match self.output {
            Some(output) => {
                std::fs::copy(&built.component_path, &output).with_context(|| format!("can not write {}", output.display()))?;
                output
            }
            None => built.component_path,
        };
        println!("{} ({} bytes)", place.display(), built.size_bytes);
        Ok(ExitCode::SUCCESS)
    }
}
