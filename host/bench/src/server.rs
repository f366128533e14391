//! The system under test, as a process of its own: started on an empty folder, set up, measured, ended by its id.
//! Whatever happens here, the process does not outlive its [`Server`].

use crate::event::{KIND, ORGANIZATION};
use crate::load::Door;
use crate::process;
use crate::wire::Wire;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// From the start of the process to the line with its address; a first start compiles the built-in plugin.
const START_MAX: Duration = Duration::from_secs(60);
/// From SIGTERM to the end, before the process is killed.
const STOP_MAX: Duration = Duration::from_secs(20);
/// Lines a system may print before the one with its address.
const START_LINES_MAX: usize = 64;
/// Well below the longest body that is read here.
const RUNS_OF_A_PAGE: usize = 100;
/// Its data, in its folder.
pub(crate) const DATA: &str = "data";
/// Its standard error, beside its data.
const COMPLAINTS: &str = "stderr.txt";
const COMPLAINTS_BYTES_MAX: usize = 2 * 1024;
/// Made up for each run would serve as well: the folder is new and listens on loopback.
const OPERATOR_KEY: &str = "hookmill-bench-operator-key-0123456789abcdef";

/// What can be measured.
#[derive(Debug, Clone)]
pub(crate) enum System {
    /// This program's own `floor`.
    Floor,
    /// The product's binary.
    Hookmill(PathBuf),
}

/// The product's binary: the one that is named, or the one beside this program.
pub(crate) fn product(named: Option<&Path>, beside: &Path) -> Result<PathBuf> {
    let product = named.map_or_else(|| beside.join("hookmill"), Path::to_owned);
    ensure!(
        product.is_file(),
        "{} is not there: `cargo build --release` makes it",
        product.display()
    );
    Ok(product)
}

/// A running system.
pub(crate) struct Server {
    /// Where its events are posted.
    pub(crate) door: Door,
    process_id: u32,
    child: Child,
    folder: TempDir,
}

impl System {
    /// As the tables call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            System::Floor => "floor",
            System::Hookmill(_) => "hookmill",
        }
    }

    /// Starts it with its data in a new folder below that one, delivering to the receiver.
    pub(crate) async fn start(&self, below: &Path, receiver: SocketAddr) -> Result<Server> {
        let folder = tempfile::Builder::new().prefix("hookmill-bench-").tempdir_in(below)?;
        let server = self.start_on(folder, receiver).await?;
        if let System::Hookmill(_) = self {
            set_up(&server.door, receiver).await.context("set up hookmill by its API")?;
        }
        Ok(server)
    }

    /// Starts it on a folder as it is left, or empty. Nothing is set up.
    pub(crate) async fn start_on(&self, folder: TempDir, receiver: SocketAddr) -> Result<Server> {
        let data = folder.path().join(DATA);
        let mut command = match self {
            System::Floor => {
                let mut command = Command::new(std::env::current_exe()?);
                command
                    .arg("floor")
                    .arg("--data")
                    .arg(&data)
                    .arg("--target")
                    .arg(receiver.to_string());
                command
            }
            System::Hookmill(program) => {
                let mut command = Command::new(program);
                // What is measured is what the defaults give, whatever this shell sets for a host of its own.
                for (name, _) in std::env::vars_os() {
                    if name.to_string_lossy().starts_with("HOOKMILL_") {
                        command.env_remove(name);
                    }
                }
                command.arg("serve").arg("--data").arg(&data);
                command.args(["--listen", "127.0.0.1:0", "--allow-network", "loopback"]);
                command.env("HOOKMILL_OPERATOR_KEY", OPERATOR_KEY);
                command
            }
        };
        let complaints = folder.path().join("stderr.txt");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints)?)
            .kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("start {}", self.name()))?;
        let process_id = child.id().context("the process has just been started")?;
        let stdout = child.stdout.take().context("its standard output is piped")?;
        let Ok(Ok(address)) = timeout(START_MAX, printed_address(stdout)).await else {
            bail!("{} printed no address to post to; it said: {}", self.name(), complaints_in(&folder));
        };
        let key = matches!(self, System::Hookmill(_)).then(|| OPERATOR_KEY.to_owned());
        Ok(Server {
            door: Door { address, key },
            process_id,
            child,
            folder,
        })
    }
}

impl Server {
    /// CPU time used since its start, all threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        process::cpu(self.process_id)
    }

    /// The most memory it had resident, in bytes.
    pub(crate) fn memory_peak_bytes(&self) -> Result<u64> {
        process::memory_peak_bytes(self.process_id)
    }

    /// What it wrote to its standard error.
    pub(crate) fn complaints(&self) -> String {
        complaints_in(&self.folder)
    }

    /// Ends it: by asking, and by force if it does not listen. Its folder is left to another start.
    pub(crate) async fn leave(mut self) -> Result<TempDir> {
        let id = rustix::process::Pid::from_raw(i32::try_from(self.process_id)?).context("a process id is not 0")?;
        // It is this process's child and not reaped yet, so the id is still its own.
        rustix::process::kill_process(id, rustix::process::Signal::TERM).context("ask the process to end")?;
        if timeout(STOP_MAX, self.child.wait()).await.is_err() {
            eprintln!("process {} did not end when it was asked to: killed", self.process_id);
            self.child.kill().await?;
        }
        Ok(self.folder)
    }
}

/// How long the plugin's calls took of the newest runs, at most so many, in microseconds, sorted: as the API tells them.
pub(crate) async fn calls_us(door: &Door, count: usize) -> Result<Vec<u64>> {
    let (mut calls, mut cursor) = (Vec::new(), String::new());
    while calls.len() < count {
        let path = format!("/runs?organization={ORGANIZATION}&limit={RUNS_OF_A_PAGE}{cursor}");
        let page: Value = serde_json::from_slice(&get(door, &path).await?)?;
        let items = page["items"].as_array().context("a list of runs has items")?;
        calls.extend(items.iter().filter_map(|run| run["duration_us"].as_u64()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    ensure!(!calls.is_empty(), "the host tells of no call");
    calls.truncate(count);
    calls.sort_unstable();
    Ok(calls)
}

/// The last of it, which tells why a process ended.
fn complaints_in(folder: &TempDir) -> String {
    let text = std::fs::read(folder.path().join(COMPLAINTS)).unwrap_or_default();
    let last = &text[text.len().saturating_sub(COMPLAINTS_BYTES_MAX)..];
    String::from_utf8_lossy(last).trim().to_owned()
}

/// The first socket address that it prints. What it prints later is read and dropped, so that it never blocks.
async fn printed_address(stdout: ChildStdout) -> Result<SocketAddr> {
    let mut lines = BufReader::new(stdout).lines();
    for _ in 0..START_LINES_MAX {
        let line = lines.next_line().await?.context("its output ended")?;
        if let Some(address) = address_in(&line) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(address);
        }
    }
    bail!("no address in its first {START_LINES_MAX} lines")
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let words = line.split(|letter: char| letter.is_whitespace() || "/,;\"'`()".contains(letter));
    words.map(|word| word.trim_end_matches('.')).find_map(|word| word.parse().ok())
}

/// An organization, and an integration with the built-in passthrough that delivers to the receiver.
async fn set_up(door: &Door, receiver: SocketAddr) -> Result<()> {
    let organization = format!(r#"{{"name": "{ORGANIZATION}"}}"#);
    post(door, "/organizations", JSON, organization.as_bytes()).await?;
    let integration = format!(
        r#"{{"organization": "{ORGANIZATION}", "type": "webhook", "events": ["{KIND}"], "target": "http://{receiver}/alfred/{KIND}"}}"#
    );
    post(door, "/integrations", JSON, integration.as_bytes()).await
}

/// The type of nearly all bodies.
pub(crate) const JSON: &str = "application/json";

/// One call of the API; an answer that is no success is an error.
pub(crate) async fn post(door: &Door, path: &str, content_type: &str, body: &[u8]) -> Result<()> {
    let head = format!("content-type: {content_type}\r\ncontent-length: {}\r\n", body.len());
    ask(door, "POST", path, &head, body).await.map(|_| ())
}

/// What the API answers.
pub(crate) async fn get(door: &Door, path: &str) -> Result<Vec<u8>> {
    ask(door, "GET", path, "", b"").await
}

async fn ask(door: &Door, method: &str, path: &str, headers: &str, body: &[u8]) -> Result<Vec<u8>> {
    let key = door.key.as_deref().unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\n{headers}\r\n",
        door.address
    );
    let mut wire = Wire::connect(door.address).await?;
    wire.write(&[head.as_bytes(), body].concat()).await?;
    let answer = wire.read().await?.context("wait for an answer")?;
    let status = answer.status()?;
    ensure!(
        status / 100 == 2,
        "{method} {path} was answered with {status}: {}",
        String::from_utf8_lossy(answer.body)
    );
    Ok(answer.body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_whatever_sentence_it_stands() {
        for line in [
            "listening on http://127.0.0.1:4321",
            "hookmill at 127.0.0.1:4321.",
            "http://127.0.0.1:4321/ (ready)",
        ] {
            assert_eq!(address_in(line), Some(SocketAddr::from(([127, 0, 0, 1], 4321))), "{line}");
        }
        assert_eq!(address_in("operator key: /tmp/x at 12:30:00"), None);
    }
}
