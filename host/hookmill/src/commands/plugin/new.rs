//! `hookmill plugin new`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::screen::{Screen, faint, plain, strong};

/// Makes a project that builds as it stands, with sample events and a page that tells how to go on.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The folder, made if it is not there; the plugin is called as it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What it is written in
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
}

/// The languages, as the command line names them.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// Rust, with the SDK
    Rust,
    /// JavaScript
    Js,
    /// Python
    Python,
}

impl New {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let language = match self.lang {
            Language::Rust => hookmill_builder::Language::Rust,
            Language::Js => hookmill_builder::Language::Js,
            Language::Python => hookmill_builder::Language::Python,
        };
        hookmill_builder::create(&self.folder, language)?;
        let mut screen = Screen::stdout();
        let folder = self.folder.display();
        screen.line(&[strong(folder.to_string()), plain(" is a plugin; its README.md tells how to go on")])?;
        screen.line(&[faint(format!("  hookmill plugin build {folder} -o plugin.wasm"))])?;
        screen.line(&[faint(format!(
            "  hookmill plugin run plugin.wasm --event {folder}/events/document_predict.json"
        ))])?;
        screen.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}
