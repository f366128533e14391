//! The writer: one thread that owns the database and commits all that waits at once. Events come in and are handed on
//! in one piece a commit; attempts ride along with the next events, or go alone after 5 ms.

use anyhow::{Context, Result};
use bytes::Bytes;
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Commits whose events the delivery side has not taken yet.
pub(super) const HAND_OVERS_MAX: usize = 16;
/// Events between their post and the commit of their attempt: what this process holds in memory.
const OPEN_MAX: usize = 4096;
/// How long an attempt waits for a commit to ride with.
const ATTEMPT_WAIT_MAX: Duration = Duration::from_millis(5);
/// Bits of a key below its milliseconds.
const COUNTER_BITS: u32 = 20;

/// A posted event, and who waits for it.
pub(super) struct Post {
    pub(super) body: Bytes,
    /// Told after the commit.
    pub(super) on_disk: oneshot::Sender<()>,
}

/// An event that is on disk.
pub(super) struct Committed {
    pub(super) key: i64,
    pub(super) post: Post,
}

/// What came of a delivery.
pub(super) struct Attempt {
    pub(super) key: i64,
    pub(super) status: u16,
}

/// What waits for the writer.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    places: Semaphore,
}

#[derive(Default)]
struct Waiting {
    posts: Vec<Post>,
    attempts: Vec<Attempt>,
    /// Since when the first of the attempts waits.
    attempts_since: Option<Instant>,
    /// The writer sleeps; waking it costs a system call, so nobody does it in vain.
    asleep: bool,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            places: Semaphore::new(OPEN_MAX),
        }
    }
}

impl Queue {
    /// Puts an event before the writer, once there is a place for it.
    pub(super) async fn post(&self, post: Post) {
        if let Ok(place) = self.places.acquire().await {
            // Given back with the commit of the attempt.
            place.forget();
        }
        let mut waiting = self.lock();
        waiting.posts.push(post);
        self.wake(waiting);
    }

    /// Puts an attempt before the writer: there are never more of them than places.
    pub(super) fn record(&self, attempt: Attempt) {
        let mut waiting = self.lock();
        waiting.attempts.push(attempt);
        if waiting.attempts_since.is_none() {
            waiting.attempts_since = Some(Instant::now());
            self.wake(waiting);
        }
    }

    /// Waits until the attempt of every event so far is on disk.
    #[cfg(test)]
    pub(super) async fn settled(&self) {
        let all = u32::try_from(OPEN_MAX).expect("it is a small number");
        drop(self.places.acquire_many(all).await.expect("nobody closes it"));
    }

    fn wake(&self, mut waiting: MutexGuard<'_, Waiting>) {
        if std::mem::take(&mut waiting.asleep) {
            drop(waiting);
            self.wake.notify_one();
        }
    }

    /// Swaps the filled queues for these two empty ones, as soon as there is something to commit.
    fn take(&self, posts: &mut Vec<Post>, attempts: &mut Vec<Attempt>) {
        let mut waiting = self.lock();
        while waiting.posts.is_empty() {
            let wait = waiting.attempts_since.map(|since| ATTEMPT_WAIT_MAX.saturating_sub(since.elapsed()));
            waiting.asleep = true;
            waiting = match wait {
                Some(Duration::ZERO) => break,
                Some(wait) => self.wake.wait_timeout(waiting, wait).expect("nobody panics while holding it").0,
                None => self.wake.wait(waiting).expect("nobody panics while holding it"),
            };
        }
        waiting.asleep = false;
        waiting.attempts_since = None;
        std::mem::swap(&mut waiting.posts, posts);
        std::mem::swap(&mut waiting.attempts, attempts);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nobody panics while holding it")
    }
}

/// Opens the database and starts the thread; its failure comes out of the receiver, and everything ends with it.
pub(super) fn start(file: &Path, queue: Arc<Queue>, committed: mpsc::Sender<Vec<Committed>>) -> Result<oneshot::Receiver<Result<()>>> {
    let connection = open(file).context("open the database")?;
    let (failed, failure) = oneshot::channel();
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
        // Nobody listens any more when the process ends.
        let _ = failed.send(write(&connection, &queue, &committed));
    })?;
    Ok(failure)
}

fn open(file: &Path) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.execute_batch(
        "CREATE TABLE event (key INTEGER PRIMARY KEY, body BLOB NOT NULL);
         CREATE TABLE attempt (event INTEGER NOT NULL, number INTEGER NOT NULL, at_ms INTEGER NOT NULL,
             status INTEGER NOT NULL, PRIMARY KEY (event, number)) WITHOUT ROWID;",
    )?;
    Ok(connection)
}

fn write(connection: &Connection, queue: &Queue, committed: &mpsc::Sender<Vec<Committed>>) -> Result<()> {
    let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
    let mut commit = connection.prepare("COMMIT")?;
    let mut insert_event = connection.prepare("INSERT INTO event (key, body) VALUES (?, ?)")?;
    let mut insert_attempt = connection.prepare("INSERT INTO attempt (event, number, at_ms, status) VALUES (?, 1, ?, ?)")?;
    let (mut posts, mut attempts, mut key) = (Vec::new(), Vec::new(), 0);
    loop {
        queue.take(&mut posts, &mut attempts);
        let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        begin.execute([])?;
        let mut events = Vec::with_capacity(posts.len());
        for post in posts.drain(..) {
            key = (key + 1).max(now_ms << COUNTER_BITS);
            insert_event.execute((key, &post.body[..]))?;
            events.push(Committed { key, post });
        }
        for attempt in &attempts {
            insert_attempt.execute((attempt.key, now_ms, attempt.status))?;
        }
        commit.execute([])?;
        queue.places.add_permits(attempts.len());
        attempts.clear();
        if !events.is_empty() {
            committed.blocking_send(events).ok().context("the delivery side has gone")?;
        }
    }
}
