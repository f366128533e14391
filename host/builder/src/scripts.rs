//! Projects in JavaScript and Python: their tools, fetched by npm and pip into the project's own folder, and called.
//!
//! Both build with WASI left in: clocks stand at the event's acceptance and prints reach the run's log, where stubs would trap.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::BuildError;
use crate::project::Description;

/// Builds a project in JavaScript, after `npm install` where its tool is not there yet. Tells where the component lies.
pub(crate) fn build_js(dir: &Path, project: &Description) -> Result<PathBuf, BuildError> {
    let tool = dir.join("node_modules/.bin/componentize-qjs");
    if !tool.is_file() {
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
        run(dir, install, "npm", "Node.js brings it, see https://nodejs.org")?;
    }
    let output = output(dir, project)?;
    let mut componentize = Command::new(&tool);
    componentize.args(["--wit", "wit", "--world", &project.world, "--js", &project.main]);
    // Without `--sync` the component is an asynchronous one, which the host does not run.
    componentize.args(["--module-root", ".", "--sync", "--output"]).arg(&output);
    run(dir, componentize, "componentize-qjs", "package.json has to name it")?;
    Ok(output)
}

/// Builds a project in Python, after making its virtual environment where its tool is not there yet. Tells where the component lies.
pub(crate) fn build_python(dir: &Path, project: &Description) -> Result<PathBuf, BuildError> {
    let environment = dir.join(".venv");
    let tool = environment.join("bin/componentize-py");
    if !tool.is_file() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&environment);
        run(dir, make, "python3", "Python 3.10 or later brings it, see https://www.python.org")?;
        let mut install = Command::new(environment.join("bin/python"));
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            "requirements.txt",
        ]);
        run(dir, install, "pip", "Python's package venv brings it; on Debian, python3-venv")?;
    }
    let output = output(dir, project)?;
    let mut componentize = Command::new(&tool);
    // The project's packages are found by it.
    componentize.env("VIRTUAL_ENV", &environment);
    componentize.args(["--quiet", "--wit-path", "wit", "--world", &project.world]);
    componentize
        .args(["componentize", "--python-path", ".", &project.main, "--output"])
        .arg(&output);
    run(dir, componentize, "componentize-py", "requirements.txt has to name it")?;
    Ok(output)
}

/// Where the component is put: its folder is there then, and it is not.
fn output(dir: &Path, project: &Description) -> Result<PathBuf, BuildError> {
    let folder = dir.join("build");
    fs::create_dir_all(&folder).map_err(|source| BuildError::file(&folder, source))?;
    let path = folder.join(format!("{}.wasm", project.name));
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(BuildError::file(&path, source)),
        _ => Ok(path),
    }
}

/// Runs a tool to its end, which is the author's own command in the foreground: what it says to people goes to stderr.
fn run(dir: &Path, mut command: Command, tool: &str, hint: &'static str) -> Result<(), BuildError> {
    let status = command.current_dir(dir).stdin(Stdio::null()).stdout(io::stderr()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(BuildError::Tool { tool: tool.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BuildError::NoTool {
            tool: tool.to_owned(),
            hint,
        }),
        Err(source) => Err(BuildError::Run {
            program: tool.to_owned(),
            source,
        }),
    }
}
