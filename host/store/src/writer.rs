//! The one thread that writes. What is asked for while a commit is under way shares the next one; what happened on the river rides along,
//! or goes alone after a moment.

mod turns;

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::key::Key;
use hookmill_domain::time::Time;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tracing::error;

use self::turns::{ROWS_MAX, in_turns};
use crate::desk::{Desk, Drawer};
use crate::error::StoreError;
use crate::records::{AcceptError, Committed, NewEvent, Receipt, Record};

/// How long a record waits for others to share its commit.
const RECORDS_WAIT: Duration = Duration::from_millis(5);
/// How long records wait after a commit failed.
const FAILURE_WAIT: Duration = Duration::from_millis(250);
/// How often the disk's free space is asked for.
const FREE_SPACE_EVERY: Duration = Duration::from_millis(100);

/// Takes what a commit has put on disk. It is called on the writer's thread, so it is quick and never waits.
pub type Sink = Box<dyn Fn(Committed) + Send + Sync>;

/// What became of the commit that a verb took part in.
type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// A verb: it writes, and leaves behind how to answer.
type Verb = Box<dyn FnOnce(&mut Desk<'_>) -> rusqlite::Result<Done> + Send>;

struct Accept {
    events: Vec<NewEvent>,
    /// Theirs, and those of what they owe.
    rows: usize,
    now: Time,
    reply: oneshot::Sender<Result<Vec<Receipt>, AcceptError>>,
}

impl Accept {
    fn organization(&self) -> Option<OrganizationKey> {
        self.events.first().map(|event| event.snapshot.organization)
    }
}

/// What the next commit is to carry. None of it is refused for its number, since whoever asks is bounded: a verb and a batch of events each have
/// somebody who waits for them, be it a call of the API's (`connections_max`) or one of the river's own tasks, and events are in memory that
/// was claimed for them (`payload_memory_bytes_max`). Records are of places that the river has given out (`calls_at_once_per_thread`,
/// `in_flight_max`), each of which comes back when its record is on disk.
#[derive(Default)]
struct Asked {
    verbs: VecDeque<(Verb, oneshot::Sender<StoreError>)>,
    accepts: Vec<Accept>,
    /// Of `accepts`, in all.
    rows: usize,
    records: Vec<Record>,
    mark: Option<Key>,
    closed: bool,
    /// The writer waits: it is to be woken. Else it looks before it waits.
    sleeps: bool,
}

/// The writer's in-tray.
pub(crate) struct Tray {
    asked: Mutex<Asked>,
    wake: Condvar,
    sink: OnceLock<Sink>,
}

impl Tray {
    pub(crate) fn new() -> Arc<Tray> {
        Arc::new(Tray {
            asked: Mutex::default(),
            wake: Condvar::new(),
            sink: OnceLock::new(),
        })
    }

    pub(crate) fn set_sink(&self, sink: Sink) {
        // A second sink would be a fault of the house's wiring; the first one stays.
        let _ = self.sink.set(sink);
    }

    /// Asks for a verb and waits for the commit that carries it.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Desk<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let (refuse, refused) = oneshot::channel();
        let verb: Verb = Box::new(move |desk| {
            let value = verb(desk)?;
            Ok(Box::new(move |committed: Result<(), StoreError>| {
                // The asker may have gone; the verb holds all the same.
                let _ = reply.send(committed.map(|()| value));
            }) as Done)
        });
        {
            let mut asked = self.lock();
            if asked.closed {
                return Err(StoreError::Closed);
            }
            asked.verbs.push_back((verb, refuse));
            self.wake_up(asked);
        }
        match answer.await {
            Ok(result) => result,
            Err(_) => Err(refused.await.unwrap_or(StoreError::Closed)),
        }
    }

    /// Asks for events to be accepted and waits for the commit that carries them.
    pub(crate) async fn accept(&self, events: Vec<NewEvent>, now: Time) -> Result<Vec<Receipt>, AcceptError> {
        let (reply, answer) = oneshot::channel();
        let rows = events.iter().map(|event| 1 + event.owed.len()).sum();
        let accept = Accept { events, rows, now, reply };
        {
            let mut asked = self.lock();
            if asked.closed {
                return Err(StoreError::Closed.into());
            }
            asked.rows += rows;
            asked.accepts.push(accept);
            self.wake_up(asked);
        }
        answer.await.unwrap_or(Err(AcceptError::Store(StoreError::Closed)))
    }

    /// Leaves records for the next commit. They are never refused, also while the store closes: its last commit takes them.
    pub(crate) fn record(&self, records: impl IntoIterator<Item = Record>) {
        let mut asked = self.lock();
        let first = asked.records.is_empty();
        asked.records.extend(records);
        if first && !asked.records.is_empty() {
            self.wake_up(asked);
        }
    }

    /// Leaves the mark below which everything is queued, waiting or settled, for the next commit.
    pub(crate) fn save_mark(&self, mark: Key) {
        self.lock().mark = Some(mark);
    }

    /// Lets the writer finish what it was asked for, and end.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Wakes the writer if it sleeps, once: a ring costs a call of the system, also when nobody sleeps. After the lock, which it wants.
    fn wake_up(&self, mut asked: MutexGuard<'_, Asked>) {
        let sleeps = mem::take(&mut asked.sleeps);
        drop(asked);
        if sleeps {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        // Nothing that can panic runs under this lock, and a panic elsewhere leaves plain lists behind.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do. `None`: closed, and nothing is left.
    fn take(&self, held_back: bool) -> Option<Asked> {
        let mut asked = self.lock();
        let mut records_at: Option<Instant> = held_back.then(|| Instant::now() + FAILURE_WAIT);
        loop {
            if !asked.verbs.is_empty() || !asked.accepts.is_empty() || asked.closed {
                break;
            }
            if records_at.is_none() && !asked.records.is_empty() {
                records_at = Some(Instant::now() + RECORDS_WAIT);
            }
            asked.sleeps = true;
            asked = match records_at.map(|at| at.saturating_duration_since(Instant::now())) {
                None => self.wake.wait(asked).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => break,
                Some(wait) => self.wake.wait_timeout(asked, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        let closed = asked.closed;
        let nothing = asked.verbs.is_empty() && asked.accepts.is_empty() && asked.records.is_empty() && asked.mark.is_none();
        if closed && nothing && !held_back {
            return None;
        }
        let mut taken = mem::take(&mut *asked);
        asked.closed = closed;
        if taken.rows > ROWS_MAX {
            let told: Vec<_> = taken.accepts.iter().map(|accept| (accept.organization(), accept.rows)).collect();
            let mut is_taken = in_turns(&told).into_iter();
            (taken.accepts, asked.accepts) = taken.accepts.into_iter().partition(|_| is_taken.next() == Some(true));
            asked.rows = asked.accepts.iter().map(|accept| accept.rows).sum();
        }
        Some(Asked { closed, ..taken })
    }

    /// No commit will come any more.
    fn refuse_what_is_left(&self) {
        let mut left = mem::take(&mut self.lock().accepts);
        refuse_all(&mut left, &StoreError::Closed);
    }
}

/// The writer: its connection, what it remembers between commits, and what a failed commit held back.
pub(crate) struct Writer {
    pub(crate) tray: Arc<Tray>,
    pub(crate) connection: Connection,
    pub(crate) drawer: Drawer,
    pub(crate) folder: PathBuf,
    pub(crate) disk_free_bytes_min: u64,
    /// Where answers are given out.
    pub(crate) runtime: Option<tokio::runtime::Handle>,
}

impl Writer {
    /// Works until the tray is closed and empty.
    pub(crate) fn run(mut self) {
        let mut held_back: Vec<Record> = Vec::new();
        let mut careful = false;
        let mut room = Room {
            asked_at: None,
            enough: true,
        };
        while let Some(mut asked) = self.tray.take(!held_back.is_empty()) {
            if !held_back.is_empty() {
                held_back.append(&mut asked.records);
                asked.records = mem::take(&mut held_back);
            }
            if !asked.accepts.is_empty() && !room.enough(&self.folder, self.disk_free_bytes_min) {
                refuse_all(&mut asked.accepts, &StoreError::NoRoom);
            }
            let closed = asked.closed;
            match self.commit(&mut asked, careful) {
                Ok(()) => {
                    // What could not be written is kept, and its run stays pinned: it is tried again, and a restart finds it.
                    held_back = asked.records;
                    careful = !held_back.is_empty();
                    if closed && careful {
                        // No later commit will come for these, either.
                        break;
                    }
                }
                Err(failure) => {
                    error!(error = %failure, records = asked.records.len(), "a commit failed; what was to be recorded is tried again");
                    careful = !matches!(failure, StoreError::NoRoom);
                    if closed {
                        // No later commit will come: after a restart these are made again from their events.
                        break;
                    }
                    held_back = asked.records;
                }
            }
        }
        self.tray.refuse_what_is_left();
        // A clean end leaves a small log behind. If it fails, the next start reads the log.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// One transaction for all that was asked. On failure nothing of it is on disk, everybody is told, and the records stay in `asked`.
    fn commit(&mut self, asked: &mut Asked, careful: bool) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        match self.transaction(asked, careful, &mut batch) {
            Ok(()) => {
                self.drawer.committed();
                if let Some(sink) = self.tray.sink.get() {
                    sink(batch.committed);
                }
                let accepts = mem::take(&mut asked.accepts);
                let answer = move || {
                    batch.done.into_iter().for_each(|answer| answer(Ok(())));
                    for (accept, receipts) in accepts.into_iter().zip(batch.receipts) {
                        let _ = accept.reply.send(receipts);
                    }
                };
                match &self.runtime {
                    // Whoever waits does so on the runtime: woken from there it costs less, and the next commit begins at once.
                    Some(runtime) => drop(runtime.spawn(async move { answer() })),
                    None => answer(),
                }
                let mut position = 0;
                asked.records.retain(|_| {
                    position += 1;
                    batch.refused.binary_search(&(position - 1)).is_ok()
                });
                Ok(())
            }
            Err(error) => {
                abort_if_sync_failed(&error);
                if !self.connection.is_autocommit() {
                    // If this fails too, the next BEGIN tells.
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                self.drawer.rolled_back();
                let failure = StoreError::from(error);
                batch.done.into_iter().for_each(|answer| answer(Err(failure.clone())));
                for (_, refuse) in asked.verbs.drain(..) {
                    let _ = refuse.send(failure.clone());
                }
                refuse_all(&mut asked.accepts, &failure);
                Err(failure)
            }
        }
    }

    fn transaction(&mut self, asked: &mut Asked, careful: bool, batch: &mut Batch) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut desk = Desk::new(&self.connection, &mut self.drawer);
        // Records first: a verb that comes after one sees it.
        for (position, record) in asked.records.iter().enumerate() {
            let recorded = if careful {
                desk.record_carefully(record)?
            } else {
                Some(desk.record(record)?)
            };
            match recorded {
                Some(recorded) => batch.committed.recorded.push(recorded),
                None => batch.refused.push(position),
            }
        }
        while let Some((verb, refuse)) = asked.verbs.pop_front() {
            self::verb(&mut desk, verb, refuse, &mut batch.done)?;
        }
        for accept in &mut asked.accepts {
            let events = mem::take(&mut accept.events);
            batch.receipts.push(desk.accept(events, accept.now, &mut batch.committed.accepted)?);
        }
        // What could not be written is found by a restart above the mark alone.
        if let Some(mark) = asked.mark
            && batch.refused.is_empty()
        {
            desk.set_setting("mark", mark.as_i64())?;
        }
        desk.fill_listing()?;
        drop(desk);
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

/// What a transaction leaves for after its commit.
#[derive(Default)]
struct Batch {
    done: Vec<Done>,
    receipts: Vec<Result<Vec<Receipt>, AcceptError>>,
    committed: Committed,
    /// Positions of records that could not be written, in ascending order.
    refused: Vec<usize>,
}

/// A verb in a savepoint of its own: when it fails, its neighbours stand.
fn verb(desk: &mut Desk<'_>, verb: Verb, refuse: oneshot::Sender<StoreError>, done: &mut Vec<Done>) -> rusqlite::Result<()> {
    desk.connection.execute_batch("SAVEPOINT verb")?;
    let salt = desk.drawer.saving();
    match verb(desk) {
        Ok(answer) => {
            done.push(answer);
            desk.connection.execute_batch("RELEASE verb")
        }
        Err(error) => {
            let _ = refuse.send(StoreError::from(&error));
            if desk.connection.is_autocommit() {
                // SQLite has rolled the whole transaction back: no room, or a fault of the disk.
                return Err(error);
            }
            desk.drawer.rolled_back_to(salt);
            desk.connection.execute_batch("ROLLBACK TO verb; RELEASE verb")
        }
    }
}

/// A failed sync leaves unknown what is on the disk, and asking again would be answered with a lie: the process ends, and the next one
/// reads what is there.
fn abort_if_sync_failed(error: &rusqlite::Error) {
    let code = error.sqlite_error().map(|error| error.extended_code);
    if matches!(
        code,
        Some(rusqlite::ffi::SQLITE_IOERR_FSYNC | rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC)
    ) {
        error!(error = %error, "the disk failed to sync: ending, so that the next start reads what is really there");
        std::process::abort();
    }
}

fn refuse_all(accepts: &mut Vec<Accept>, error: &StoreError) {
    for accept in accepts.drain(..) {
        let _ = accept.reply.send(Err(error.clone().into()));
    }
}

/// Whether the disk has more room than is to be kept free, asked for now and then; where it has not, each time.
struct Room {
    asked_at: Option<Instant>,
    enough: bool,
}

/// Asks the disk. One that does not tell is not held against the events.
pub(crate) fn has_room(folder: &std::path::Path, free_bytes_min: u64) -> bool {
    rustix::fs::statvfs(folder).map_or(true, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= free_bytes_min)
}

impl Room {
    fn enough(&mut self, folder: &std::path::Path, free_bytes_min: u64) -> bool {
        if !self.enough || self.asked_at.is_none_or(|at| at.elapsed() >= FREE_SPACE_EVERY) {
            self.asked_at = Some(Instant::now());
            self.enough = has_room(folder, free_bytes_min);
        }
        self.enough
    }
}
