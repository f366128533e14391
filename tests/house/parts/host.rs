//! A host as a user starts it: the real binary on a data folder of its own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;
use super::{hookmill, waitable};

/// The data folder of each host that runs, by where it listens: whoever calls it can wait for what it writes.
static FOLDERS: Mutex<BTreeMap<SocketAddr, PathBuf>> = Mutex::new(BTreeMap::new());

/// The data folder of the host that listens there, which is one of this module's or was told to [`listens`].
pub fn folder_at(address: SocketAddr) -> PathBuf {
    let folder = FOLDERS.lock().expect("nobody panics with it").get(&address).cloned();
    folder.unwrap_or_else(|| panic!("no host's folder is known at {address}"))
}

/// Tells that a host of that folder listens there.
pub fn listens(address: SocketAddr, folder: &Path) {
    let mut folders = FOLDERS.lock().expect("nobody panics with it");
    // It has listened elsewhere before it was started again.
    folders.retain(|_, known| known != folder);
    folders.insert(address, folder.to_owned());
}

/// The operator's key of every host under test.
pub const OPERATOR_KEY: &str = "operator-key-of-the-tests";

/// A running host. It is killed when it is dropped.
pub struct Host {
    child: Child,
    /// What calls it with the operator's key.
    pub operator: Client,
    folder: PathBuf,
    options: Options,
    _temporary: Option<TempDir>,
}

/// How to start a host.
#[derive(Debug, Clone)]
pub struct Options {
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Puts the data folder on a small disk of its own, of so many KiB, that only the host sees.
    pub disk_kib: Option<u32>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            arguments: vec!["--allow-network".to_owned(), "loopback".to_owned()],
            // Tests run on small disks, too.
            environment: vec![("HOOKMILL_LIMITS__INTAKE__DISK_FREE_BYTES_MIN".to_owned(), "1000000".to_owned())],
            disk_kib: None,
        }
    }
}

impl Options {
    /// With a setting, by the name that the environment has for it.
    pub fn with(mut self, name: &str, value: &str) -> Options {
        self.environment.push((format!("HOOKMILL_{name}"), value.to_owned()));
        self
    }
}

impl Host {
    /// A host on a new folder.
    pub fn start() -> Host {
        Host::start_with(Options::default())
    }

    pub fn start_with(options: Options) -> Host {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let mut host = Host::open(temporary.path(), options);
        host._temporary = Some(temporary);
        host
    }

    /// A host on this folder.
    pub fn open(folder: &Path, options: Options) -> Host {
        let (child, address) = spawn(folder, &options);
        let operator = Client {
            address,
            key: OPERATOR_KEY.to_owned(),
        };
        Host {
            child,
            operator,
            folder: folder.to_owned(),
            options,
            _temporary: None,
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data folder as the host sees it.
    pub fn seen_folder(&self) -> PathBuf {
        Path::new("/proc")
            .join(self.pid().to_string())
            .join("root")
            .join(self.folder.strip_prefix("/").expect("an absolute path"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The CPU time of all its threads so far, to the kernel's tick of 10 ms.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        // The second field is a name in parentheses that may hold anything; user and system time are the 14th and 15th.
        let fields = stat.rsplit_once(')').expect("a name in parentheses").1.split_ascii_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).expect("a hundred")
    }

    /// Ends it as a power failure would, but for what the kernel holds.
    pub fn kill(&mut self) {
        self.child.kill().expect("the host was running");
        self.child.wait().expect("it was just killed");
    }

    /// Starts it again on its folder.
    pub fn start_again(&mut self) {
        let (child, address) = spawn(&self.folder, &self.options);
        self.child = child;
        self.operator.address = address;
    }

    /// Starts it again on its folder, and does not wait until it listens: it is to be killed before that.
    pub fn begin_again(&mut self) {
        self.child = begin(&self.folder, &self.options, Stdio::null());
    }

    /// Asks it to drain, and waits for its end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().expect("it was asked to end")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).expect("the host was running");
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its state can be asked for")
    }

    /// How it ended, once it has.
    pub async fn ended(&mut self) -> ExitStatus {
        if let Some(status) = self.has_ended() {
            return status;
        }
        let process = pidfd_open(self.process(), PidfdFlags::NONBLOCK).expect("nobody but this test waits for its child");
        let _ended = waitable(process).readable().await.expect("it can be waited for");
        self.child.wait().expect("it has ended")
    }

    fn process(&self) -> Pid {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.expect("a process has an id")
    }

    /// An organization with that name, and a client with an admin's key of it.
    pub async fn organization(&self, name: &str) -> Client {
        self.operator.post("/organizations", &json!({"name": name})).await;
        let key = self
            .operator
            .post("/keys", &json!({"organization": name, "role": "admin"}))
            .await
            .expect(201);
        self.operator.with_key(key["key"].as_str().expect("a new key's text is answered"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let mut folders = FOLDERS.lock().expect("nobody panics with it");
        folders.retain(|_, folder| *folder != self.folder);
        drop(folders);
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn begin(folder: &Path, options: &Options, log: Stdio) -> Child {
    let mut command = command(folder, options);
    if !shows_log() {
        command.stderr(log);
    }
    command.stdout(Stdio::piped()).spawn().expect("the binary starts")
}

fn spawn(folder: &Path, options: &Options) -> (Child, SocketAddr) {
    let mut log = tempfile::tempfile().expect("there is a folder for temporary files");
    let mut child = begin(folder, options, log.try_clone().expect("a file can be opened twice").into());
    let stdout = child.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.split("http://").nth(1)?.trim().parse().ok());
    if let Some(address) = address
        && options.disk_kib.is_none()
    {
        listens(address, folder);
    }
    let Some(address) = address else {
        let ended = child.wait();
        let mut said = String::new();
        let _ = log.rewind().and_then(|()| log.read_to_string(&mut said));
        panic!("the host ended before it listened: {ended:?}\n{said}");
    };
    (child, address)
}

/// The command that starts a host.
pub fn command(folder: &Path, options: &Options) -> Command {
    let mut command = match options.disk_kib {
        None => Command::new(hookmill()),
        Some(size) => {
            // That it can be had is asked for first: what a host says that was never started would explain nothing.
            let asked = on_a_disk(size, folder).arg("true").output();
            let asked = asked.expect("this test needs the command unshare, of util-linux");
            assert!(
                asked.status.success(),
                "this test needs a disk of its own, which this machine or its container refuses (unshare --map-root-user --mount, then \
                 mount -t tmpfs; containers allow it with the capability SYS_ADMIN): {}",
                String::from_utf8_lossy(&asked.stderr)
            );
            let mut command = on_a_disk(size, folder);
            command.arg(hookmill());
            command
        }
    };
    command
        .arg("serve")
        .arg("--data")
        .arg(folder)
        .args(["--listen", "127.0.0.1:0"])
        .args(&options.arguments);
    // What the surroundings set for a host of theirs is nothing to this one.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKMILL_")) {
        command.env_remove(name);
    }
    command
        .env("HOOKMILL_OPERATOR_KEY", OPERATOR_KEY)
        .envs(options.environment.iter().cloned());
    if !shows_log() {
        command.stderr(Stdio::null());
    }
    command
}

/// What runs a command in a mount namespace of its own, as root or as whoever may be root in one, with a disk of so many KiB in this folder.
fn on_a_disk(kib: u32, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    let mount = format!("mount -t tmpfs -o size={kib}k tmpfs \"$0\" && exec \"$@\"");
    command.args(["--map-root-user", "--mount", "sh", "-c", &mount]).arg(folder);
    command
}

/// Copies a folder with all that is in it; what lies there already is overwritten, or stays.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).expect("copied");
        }
    }
}

fn shows_log() -> bool {
    std::env::var_os("HOOKMILL_TEST_LOG").is_some()
}

/// The text at a path of a JSON value.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text at {pointer} of {value}"))
}
