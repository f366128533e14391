//! Waiting for what a host does to its data folder, where nothing else tells of it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rusqlite::Connection;
use rustix::fs::inotify::{self, CreateFlags, Event, Reader, WatchFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::receiver::PATIENCE;
use super::waitable;

/// The log of a host's database (SQLite's `-wal`): each commit writes it. What is written from [`DatabaseLog::watch`] on is told, so whoever
/// looks at the rows after that misses nothing.
pub struct DatabaseLog {
    folder: Watch,
    database: Connection,
}

impl DatabaseLog {
    /// Watches the database of a data folder from now on.
    pub fn watch(folder: &Path) -> DatabaseLog {
        let database = Connection::open(folder.join("hookmill.db")).expect("the database opens");
        database.busy_timeout(PATIENCE).expect("it waits");
        let log = DatabaseLog {
            folder: Watch::new(folder, WatchFlags::MODIFY),
            database,
        };
        // Of a commit that was written before that nothing is told any more: it shows from here on.
        log.shows();
        log
    }

    /// Ends when something was committed since the last time, or may have been. Cancelling it loses nothing.
    pub async fn written(&mut self) {
        let is_log = |event: &Event<'_>| event.file_name().is_none_or(|name| name.to_bytes().ends_with(b"-wal"));
        while self.folder.some(is_log).await == 0 {}
        self.shows();
    }

    /// Waits until what has been written shows. A commit is written first and shows after that, of which no file tells; whoever writes holds
    /// the lock until it does.
    fn shows(&self) {
        self.database
            .execute_batch("BEGIN IMMEDIATE; ROLLBACK")
            .expect("whoever writes comes to an end");
    }
}

/// Whatever is done with the files of a folder.
pub struct Touches(Watch);

impl Touches {
    /// Watches a folder from now on.
    pub fn watch(folder: &Path) -> Touches {
        Touches(Watch::new(folder, WatchFlags::ALL_EVENTS))
    }

    /// Ends when files were opened, read, written or closed so many times, or somewhat more.
    pub async fn reach(mut self, times: u64) {
        let mut seen = 0;
        while seen < times {
            seen += self.0.some(|_| true).await;
        }
    }
}

/// What comes into a folder.
pub struct Arrivals(Watch);

impl Arrivals {
    /// Watches a folder from now on.
    pub fn watch(folder: &Path) -> Arrivals {
        Arrivals(Watch::new(folder, WatchFlags::CREATE | WatchFlags::MOVED_TO))
    }

    /// Ends when something has come since the last time. Cancelling it loses nothing.
    pub async fn some(&mut self) {
        self.0.some(|_| true).await;
    }
}

/// What goes out of a folder.
pub struct Departures(Watch);

impl Departures {
    /// Watches a folder from now on.
    pub fn watch(folder: &Path) -> Departures {
        Departures(Watch::new(folder, WatchFlags::DELETE | WatchFlags::MOVED_FROM))
    }

    /// Ends when something has gone since the last time. Cancelling it loses nothing.
    pub async fn some(&mut self) {
        self.0.some(|_| true).await;
    }
}

struct Watch(AsyncFd<OwnedFd>);

impl Watch {
    fn new(folder: &Path, what: WatchFlags) -> Watch {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).expect("an instance of inotify");
        inotify::add_watch(&inotify, folder, what).expect("the folder is there");
        Watch(waitable(inotify))
    }

    /// Waits until the folder has something to tell; answers how much of it is so. An event without a name says that others were lost.
    async fn some(&mut self, so: impl Fn(&Event<'_>) -> bool) -> u64 {
        let read = |inotify: &OwnedFd| {
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut events = Reader::new(inotify, &mut buffer);
            let mut count = 0;
            loop {
                count += u64::from(so(&events.next()?));
                if events.is_buffer_empty() {
                    return io::Result::Ok(count);
                }
            }
        };
        self.0.async_io(Interest::READABLE, read).await.expect("inotify can be read")
    }
}
