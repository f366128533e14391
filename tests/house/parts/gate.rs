//! A compiler that waits at one component until a test lets it through.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use hookmill_plugin_room::CompilerCommand;
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

use tokio::io::Interest;

use super::receiver::PATIENCE;
use super::river::compiler_after;
use super::waitable;

/// Where it waits: a pipe that it reads a line from.
pub struct Gate(PathBuf);

impl Gate {
    /// A gate in a folder, closed.
    pub fn new(folder: &Path) -> Gate {
        let path = folder.join("gate");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("made");
        Gate(path)
    }

    /// A compiler that waits with each component in which this text stands.
    pub fn compiler(&self, text: &str) -> CompilerCommand {
        let gate = self.0.display();
        compiler_after(&format!(
            "f=$(mktemp) && cat >\"$f\" && exec <\"$f\"; grep -aq '{text}' \"$f\"; found=$?; rm \"$f\"; [ $found = 1 ] || read -r _ <'{gate}'"
        ))
    }

    /// Ends once a compiler waits. It goes on when what is answered has been dropped.
    pub async fn reached(&self) -> File {
        let path = self.0.clone();
        // A pipe can be opened for writing once somebody reads from it.
        let opened = tokio::task::spawn_blocking(move || OpenOptions::new().write(true).open(path));
        let opened = tokio::time::timeout(PATIENCE, opened).await.expect("it compiles").expect("joined");
        opened.expect("opened")
    }

    /// Ends once none waits any more.
    pub async fn left(&self) {
        let Ok(writing) = rustix::fs::open(&self.0, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) else {
            return;
        };
        // A pipe that nobody reads is an error to whoever writes.
        let gate = waitable(writing);
        let unread = tokio::time::timeout(PATIENCE, gate.ready(Interest::ERROR)).await;
        unread.expect("it waits no more").expect("the pipe can be watched").retain_ready();
    }

    /// Lets all through until what is answered is dropped.
    pub fn open(&self) -> File {
        // Opened for both it waits for nobody.
        let mut gate = OpenOptions::new().read(true).write(true).open(&self.0).expect("opened");
        gate.write_all(&b"go\n".repeat(1000)).expect("it fits into the pipe");
        gate
    }
}
