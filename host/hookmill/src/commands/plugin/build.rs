//! `hookmill plugin build`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

/// A crate is built with the wasm target of the Rust toolchain where it is there, else with what else can build for it. A project in
/// JavaScript or Python wants npm, or Python with pip, which fetch the tools that it names into its folder.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The project's folder
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// Where to copy the component to
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Build {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let built = hookmill_builder::build_project(&self.folder, &hookmill_builder::Options::default())?;
        let place = match self.output {
            Some(output) => {
                std::fs::copy(&built.path, &output).with_context(|| format!("can not write {}", output.display()))?;
                output
            }
            None => built.path,
        };
        println!("{} ({} bytes)", place.display(), built.size_bytes);
        Ok(ExitCode::SUCCESS)
    }
}
