//! Looking at a host from without: the problems that it tells, what it prints, and its end.

use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use super::client::Answer;
use super::host::{Host, text};
use super::receiver::PATIENCE;

/// A problem document by RFC 9457 with that status, which names that place: a JSON Pointer into the body, `?name` for a parameter of the
/// query, or `-` for none.
#[track_caller]
pub fn problem(answer: &Answer, status: u16, place: &str) -> Value {
    let document = some_problem(answer, status);
    let named = match document["errors"].as_array().map(Vec::as_slice) {
        None => "-".to_owned(),
        Some([error]) if error["parameter"].is_string() => format!("?{}", text(error, "/parameter")),
        Some([error]) => text(error, "/pointer").to_owned(),
        Some(errors) => panic!("{errors:?}"),
    };
    assert_eq!(named, place, "{document}");
    document
}

/// A problem document with that status, whatever it names.
#[track_caller]
pub fn some_problem(answer: &Answer, status: u16) -> Value {
    let shown = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{shown}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{shown}");
    let document = answer.json();
    assert_eq!(
        (&document["status"], &document["type"]),
        (&json!(status), &json!("about:blank")),
        "{shown}"
    );
    assert!(
        !text(&document, "/title").is_empty() && !text(&document, "/detail").is_empty(),
        "{shown}"
    );
    document
}

/// How a host ended, which it does within that time.
pub async fn ends_within(host: &mut Host, most: Duration) -> ExitStatus {
    tokio::time::timeout(most, host.ended())
        .await
        .unwrap_or_else(|_| panic!("the host still runs after {most:?}"))
}

/// A process as a script sees it: by its lines on standard output. It is killed when it is dropped.
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub fn start(command: Command) -> Process {
        let mut command = tokio::process::Command::from(command);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Process { child, lines }
    }

    /// What stands behind `beginning` on the next line that begins so.
    pub async fn line(&mut self, beginning: &str) -> String {
        let find = async {
            loop {
                let line = self.lines.next_line().await.expect("it prints text");
                let line = line.unwrap_or_else(|| panic!("it ended without a line that begins with {beginning:?}"));
                if let Some(rest) = line.strip_prefix(beginning) {
                    return rest.to_owned();
                }
            }
        };
        tokio::time::timeout(PATIENCE, find)
            .await
            .unwrap_or_else(|_| panic!("no line begins with {beginning:?}"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(pid, signal).expect("it runs");
    }

    /// Ends it by SIGTERM; gives the rest of its lines.
    pub async fn end(self) -> Vec<String> {
        self.end_by(Signal::TERM).await.1
    }

    /// Ends it by a signal; gives how it ended, and the rest of its lines.
    pub async fn end_by(self, signal: Signal) -> (ExitStatus, Vec<String>) {
        self.signal(signal);
        self.ended().await
    }

    /// How it ended, once it has, and the rest of its lines.
    pub async fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let end = async {
            let mut rest = Vec::new();
            while let Some(line) = self.lines.next_line().await.expect("it prints text") {
                rest.push(line);
            }
            (self.child.wait().await.expect("it was running"), rest)
        };
        tokio::time::timeout(PATIENCE, end).await.expect("it ends")
    }
}

/// How a command ended by itself, and what it said on standard error.
pub async fn ended(command: Command) -> (ExitStatus, String) {
    let mut command = tokio::process::Command::from(command);
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .expect("it ends by itself")
        .expect("it starts");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}
