//! The command line as a plugin's author uses it: the real binary, run to its end.

mod backtest;
mod bench;
mod check;
mod export;
mod projects;
mod push;
mod rebuilt;
mod run;
mod verify;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::parts::client::Client;
use crate::parts::hookmill;

/// How a command ended, and what it said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// What it said, if it ended so.
    #[track_caller]
    fn expect(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        &self.out
    }

    /// The lines of standard output, each as JSON.
    #[track_caller]
    fn json(&self) -> Vec<Value> {
        let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        self.out.lines().map(read).collect()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).expect("it speaks UTF-8");
        Said {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// `hookmill plugin` with these arguments, without what the surroundings say of hosts and limits.
fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = undisturbed(hookmill());
    command.arg("plugin").args(arguments);
    command
}

/// A program that may call `hookmill`, without what the surroundings say of hosts and limits.
fn undisturbed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_remove("HOOKMILL_URL")
        .env_remove("HOOKMILL_KEY")
        .env_remove("HOOKMILL_CONFIG");
    command.env("XDG_CONFIG_HOME", "/nowhere");
    command
}

/// Runs it to its end.
fn plugin<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Said {
    command(arguments).output().expect("the binary starts").into()
}

/// Runs `hookmill` with these arguments by this client's key, which stands in the environment as the host's address does.
async fn at_host<A: AsRef<OsStr>>(client: &Client, arguments: impl IntoIterator<Item = A>) -> Said {
    let mut command = Command::new(hookmill());
    command
        .args(arguments)
        .env("HOOKMILL_URL", format!("http://{}", client.address))
        .env("HOOKMILL_KEY", &client.key);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.expect("it does not panic").expect("the binary starts").into()
}

/// A folder of files that is removed in the end.
struct Files(TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and tells where.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("a temporary folder takes files");
        path
    }
}
