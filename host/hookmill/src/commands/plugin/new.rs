//! `hookmill plugin new`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::screen::{Screen, faint, plain, strong};

/// Makes a project that builds as it stands, with a test, sample events and a page that tells how to go on.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The folder, made if it is not there; the plugin is called as it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What it is written in
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// The engine of a plugin in JavaScript
    #[arg(long, value_enum)]
    engine: Option<Engine>,
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
    /// C
    C,
}

/// The engines of JavaScript, as the command line and `hookmill.json` name them.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
#[value(rename_all = "lower")]
enum Engine {
    /// Small, and quick to call
    #[default]
    QuickJs,
    /// Firefox's: large, with more of what browsers have
    StarlingMonkey,
}

impl New {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let language = match (self.lang, self.engine) {
            (Language::Js, engine) => hookmill_builder::Language::Js(match engine.unwrap_or_default() {
                Engine::QuickJs => hookmill_builder::Engine::QuickJs,
                Engine::StarlingMonkey => hookmill_builder::Engine::StarlingMonkey,
            }),
            (_, Some(_)) => anyhow::bail!("--engine is for JavaScript alone: --lang js"),
            (Language::Rust, None) => hookmill_builder::Language::Rust,
            (Language::Python, None) => hookmill_builder::Language::Python,
            (Language::C, None) => hookmill_builder::Language::C,
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
