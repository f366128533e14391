//! A project's folder: what it holds, and so how it is built.
//!
//! A crate needs nothing but its `Cargo.toml`. Projects in other languages have a file `hookmill.json`, which names the language (and of
//! JavaScript the engine), the main file or module, and the world of the contract.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::create::is_name;
use crate::{BuildError, Options, build, c, scripts};

/// What describes a project in another language than Rust.
const DESCRIPTION: &str = "hookmill.json";

/// The languages that projects are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A crate that uses the SDK.
    Rust,
    /// JavaScript, in one of its engines.
    Js(Engine),
    /// Python in CPython, by componentize-py.
    Python,
    /// C with the C library of WASI, by clang.
    C,
}

/// The engines that run JavaScript inside of a component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// By componentize-qjs: 1.6 MB.
    #[default]
    QuickJs,
    /// Firefox's, by componentize-js: 12 MB, and more of what browsers have.
    StarlingMonkey,
}

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Where it lies.
    pub path: PathBuf,
    /// How long it is.
    pub size_bytes: u64,
}

/// `hookmill.json`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Description {
    /// What the component's file is called: a plugin's name.
    pub(crate) name: String,
    language: Language,
    /// The file, or in Python the module, that exports the plugin.
    pub(crate) main: String,
    /// `plugin`, or `configurable-plugin`.
    pub(crate) world: String,
}

/// `hookmill.json` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    language: LanguageName,
    engine: Option<Engine>,
    main: String,
    world: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LanguageName {
    Rust,
    Js,
    Python,
    C,
}

impl TryFrom<Written> for Description {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let language = match (written.language, written.engine) {
            (LanguageName::Js, engine) => Language::Js(engine.unwrap_or_default()),
            (_, Some(_)) => return Err("`engine` is for the language `js` alone"),
            (LanguageName::Rust, None) => Language::Rust,
            (LanguageName::Python, None) => Language::Python,
            (LanguageName::C, None) => Language::C,
        };
        Ok(Self {
            name: written.name,
            language,
            main: written.main,
            world: written.world,
        })
    }
}

/// Builds the plugin in a project's folder, whatever it is written in.
///
/// # Errors
/// When the folder holds no project, a tool is not there, or the project does not build (its tools have said why on stderr).
pub fn build_project(dir: &Path, options: &Options) -> Result<Component, BuildError> {
    if !dir.is_dir() {
        return Err(BuildError::NoFolder { dir: dir.to_owned() });
    }
    // Tools are run in the folder, and their arguments are paths.
    let dir = std::path::absolute(dir).map_err(|source| BuildError::file(dir, source))?;
    let path = match description(&dir)? {
        Some(project) => match project.language {
            Language::Js(engine) => scripts::build_js(&dir, &project, engine)?,
            Language::Python => scripts::build_python(&dir, &project)?,
            Language::C => c::build(&dir, &project)?,
            Language::Rust => build(&dir, options)?.component_path,
        },
        None if dir.join("Cargo.toml").is_file() => build(&dir, options)?.component_path,
        None => return Err(BuildError::NoProject { dir }),
    };
    let size_bytes = fs::metadata(&path).map_err(|source| BuildError::file(&path, source))?.len();
    Ok(Component { path, size_bytes })
}

fn description(dir: &Path) -> Result<Option<Description>, BuildError> {
    let path = dir.join(DESCRIPTION);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(BuildError::file(&path, source)),
    };
    let project: Description = match serde_json::from_slice(&text) {
        Ok(project) => project,
        Err(source) => return Err(BuildError::Project { path, source }),
    };
    // It becomes a part of a path.
    if !is_name(&project.name) {
        return Err(BuildError::ProjectName { path, name: project.name });
    }
    Ok(Some(project))
}
