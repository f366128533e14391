//! Projects in JavaScript and Python: their tools, fetched by npm and pip into the project's own folder, and called.
//!
//! Both build with WASI left in: clocks stand at the event's acceptance and prints reach the run's log, where stubs would trap.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::project::{Description, Engine};
use crate::{BuildError, FileKind, write_whole};

/// Builds a project in JavaScript, after `npm install` where its tool is not there yet or other packages are named than there are. Tells
/// where the component lies.
pub(crate) fn build_js(dir: &Path, project: &Description, engine: Engine) -> Result<PathBuf, BuildError> {
    let name = match engine {
        Engine::QuickJs => "componentize-qjs",
        Engine::StarlingMonkey => "componentize-js",
    };
    let tool = dir.join("node_modules/.bin").join(name);
    let packages = Packages {
        named_by: &["package.json", "package-lock.json"],
        folder: dir.join("node_modules"),
    };
    if !tool.is_file() || !packages.are_installed(dir)? {
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
        run(dir, install, "npm", "Node.js brings it, see https://nodejs.org")?;
        packages.note_installed(dir)?;
    }
    let output = output(dir, project)?;
    let mut componentize = Command::new(&tool);
    match engine {
        // Without `--sync` the component is an asynchronous one, which the host does not run.
        Engine::QuickJs => componentize.args(["--sync", "--module-root", ".", "--world", &project.world, "--js", &project.main]),
        // With these features it imports `wasi:http`, which is not offered.
        Engine::StarlingMonkey => {
            componentize
                .arg(&project.main)
                .args(["--disable", "http", "--disable", "fetch-event", "--world-name", &project.world])
        }
    };
    componentize.args(["--wit", "wit", "-o"]).arg(&output);
    run(dir, componentize, name, "package.json has to name it")?;
    Ok(output)
}

/// Builds a project in Python, after making its virtual environment where its tool is not there yet or other packages are named than
/// there are. Tells where the component lies.
pub(crate) fn build_python(dir: &Path, project: &Description) -> Result<PathBuf, BuildError> {
    let environment = dir.join(".venv");
    let tool = environment.join("bin/componentize-py");
    let packages = Packages {
        named_by: &["requirements.txt"],
        folder: environment.clone(),
    };
    if !tool.is_file() || !packages.are_installed(dir)? {
        let mut make = Command::new("python3");
        // From the beginning: pip leaves what is named no more, and it would stand in the component.
        make.args(["-m", "venv", "--clear"]).arg(&environment);
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
        packages.note_installed(dir)?;
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

/// The packages that a project names. Beside what was installed lies a note of what the files said that named it.
struct Packages {
    /// Files of the project; one may not be there.
    named_by: &'static [&'static str],
    /// Where they are installed.
    folder: PathBuf,
}

impl Packages {
    /// Whether those that are named now have been installed.
    fn are_installed(&self, dir: &Path) -> Result<bool, BuildError> {
        let named = self.named(dir)?;
        Ok(read(&self.note())?.is_some_and(|noted| noted == named))
    }

    /// Notes what is named, once it has been installed: npm writes its lock file meanwhile.
    fn note_installed(&self, dir: &Path) -> Result<(), BuildError> {
        fs::create_dir_all(&self.folder).map_err(|source| BuildError::file(&self.folder, source))?;
        write_whole(&self.note(), &self.named(dir)?, FileKind::Data)
    }

    fn note(&self) -> PathBuf {
        self.folder.join(".hookmill-installed")
    }

    fn named(&self, dir: &Path) -> Result<Vec<u8>, BuildError> {
        let mut named = Vec::new();
        for name in self.named_by {
            let text = read(&dir.join(name))?.unwrap_or_default();
            named.extend_from_slice(format!("{name} {}\n", text.len()).as_bytes());
            named.extend_from_slice(&text);
        }
        Ok(named)
    }
}

/// A file's content, if it is there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, BuildError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(BuildError::file(path, source)),
    }
}

/// Where the component is put: its folder is there then, and it is not.
pub(crate) fn output(dir: &Path, project: &Description) -> Result<PathBuf, BuildError> {
    let folder = dir.join("build");
    fs::create_dir_all(&folder).map_err(|source| BuildError::file(&folder, source))?;
    let path = folder.join(format!("{}.wasm", project.name));
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(BuildError::file(&path, source)),
        _ => Ok(path),
    }
}

/// Runs a tool to its end, which is the author's own command in the foreground: what it says to people goes to stderr.
pub(crate) fn run(dir: &Path, mut command: Command, tool: &str, hint: &'static str) -> Result<(), BuildError> {
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
