//! The handle: opening a data folder, the writer's thread, and the readers beside it.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use hookmill_domain::clock::Clock;
use hookmill_domain::ids::Salt;
use hookmill_domain::key::{Key, KeyMint};
use hookmill_domain::time::Time;
use rusqlite::Connection;

use crate::connections::{Readers, open_writer};
use crate::desk::{Desk, Drawer, Salts, key, setting};
use crate::error::{OpenError, StoreError};
use crate::integrations::check_keyring;
use crate::listing::Unlisted;
use crate::records::{AcceptError, NewEvent, Receipt, Record};
use crate::schema;
use crate::seal::Keyring;
use crate::writer::{Sink, Tray, Writer, has_room};

/// The database's file in the data folder.
pub(crate) const DATABASE: &str = "hookmill.db";
/// Connections that read for the river at once, and for those who ask by the API: long lists keep no delivery waiting.
const RIVER_READERS: usize = 3;
const LIST_READERS: usize = 3;

/// How to open a data folder.
pub struct StoreSettings {
    /// The folder; made, for the owner alone, if it is not there.
    pub folder: PathBuf,
    /// This host's number, for keys.
    pub host: u8,
    /// Free space below which no event is accepted.
    pub disk_free_bytes_min: u64,
    /// The keyring; absent: the file `keyring` in the folder, made if it is not there.
    pub keyring: Option<Keyring>,
}

/// Everything durable. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    tray: Arc<Tray>,
    writer: Mutex<Option<JoinHandle<()>>>,
    river: Arc<Readers>,
    lists: Arc<Readers>,
    keyring: Arc<Keyring>,
    salts: Arc<Salts>,
    folder: PathBuf,
    disk_free_bytes_min: u64,
    /// One process to a folder: held until the writer has ended, since nothing here writes any more then.
    lock: Mutex<Option<File>>,
}

impl Store {
    /// Opens a data folder: locks it, brings its database up to the newest schema, and starts the writer.
    pub fn open(settings: StoreSettings, clock: Arc<dyn Clock>) -> Result<Store, OpenError> {
        let folder = settings.folder;
        let lock = lock_folder(&folder)?;
        let random = |bytes: &mut [u8]| clock.random(bytes);
        let path = folder.join(DATABASE);
        private_file(&path)?;
        let mut connection = open_writer(&path)?;
        schema::migrate(&mut connection)?;
        let keyring_path = folder.join("keyring");
        let mut keyring = settings.keyring.map_or_else(|| Keyring::read(&keyring_path), Ok)?;
        check_keyring(&connection, &keyring)?;
        if keyring.is_empty() {
            keyring = Keyring::make(&keyring_path, &random)?;
        }

        let greatest = greatest_key(&connection)?;
        let salts = Arc::new(Salts::load(&connection)?);
        let mut salt = [0; 8];
        clock.random(&mut salt);
        let salt = Salt::new(u64::from_be_bytes(salt));
        let mut drawer = Drawer::new(clock, KeyMint::new(settings.host, greatest), salts.clone(), salt);
        drawer.unlisted = Unlisted::load(&connection)?;
        let river = Readers::open(&path, RIVER_READERS)?;
        let lists = Readers::open(&path, LIST_READERS)?;
        let tray = Tray::new();
        let writer = Writer {
            tray: tray.clone(),
            connection,
            drawer,
            folder: folder.clone(),
            disk_free_bytes_min: settings.disk_free_bytes_min,
            runtime: tokio::runtime::Handle::try_current().ok(),
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let _guard = EndWithTheWriter;
                writer.run();
            })
            .map_err(|source| OpenError::Io {
                path: folder.clone(),
                source,
            })?;
        Ok(Store {
            inner: Arc::new(Inner {
                tray,
                writer: Mutex::new(Some(thread)),
                river,
                lists,
                keyring: Arc::new(keyring),
                salts,
                folder,
                disk_free_bytes_min: settings.disk_free_bytes_min,
                lock: Mutex::new(Some(lock)),
            }),
        })
    }

    /// Says who takes what commits have put on disk. Once, before the first event.
    pub fn set_sink(&self, sink: Sink) {
        self.inner.tray.set_sink(sink);
    }

    /// Puts events on disk: all of them or none. It answers once they are there.
    pub async fn accept_events(&self, events: Vec<NewEvent>, now: Time) -> Result<Vec<Receipt>, AcceptError> {
        self.inner.tray.accept(events, now).await
    }

    /// Leaves outcomes for the next commit; it does not wait. They are bounded by the places that the river has given out.
    pub fn record_outcomes(&self, records: impl IntoIterator<Item = Record>) {
        self.inner.tray.record(records);
    }

    /// Leaves the mark at or below which every event's runs are queued, waiting or settled, for the next commit.
    pub fn save_mark(&self, mark: Key) {
        self.inner.tray.save_mark(mark);
    }

    /// Ends the writer after what it was asked for is on disk, and gives the folder up.
    pub async fn close(&self) {
        self.inner.tray.close();
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // The writer's own faults were told to those who asked; a panic has been printed.
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
        drop(self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// The latest time that is on disk, for a clock that is not to fall behind it.
    pub async fn newest_time(&self) -> Result<Time, StoreError> {
        self.read(|connection| {
            let recorded: i64 = connection.query_row(
                "SELECT max(coalesce((SELECT max(updated_at) FROM integration), 0), coalesce((SELECT max(created_at) FROM api_key), 0))",
                [],
                |row| row.get(0),
            )?;
            Ok(greatest_key(connection)?.time().max(Time::from_millis(recorded)))
        })
        .await
    }

    /// Whether the database answers: reads one row.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| setting(connection, "mark").map(|_| ())).await
    }

    /// Whether the disk has more room than is to be kept free: else no event is accepted.
    pub fn has_room(&self) -> bool {
        has_room(&self.inner.folder, self.inner.disk_free_bytes_min)
    }

    /// Whether it still would, were so many bytes more on it.
    pub fn has_room_for(&self, bytes: u64) -> bool {
        has_room(&self.inner.folder, self.inner.disk_free_bytes_min.saturating_add(bytes))
    }

    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        self.inner.keyring.clone()
    }

    pub(crate) fn salts(&self) -> Arc<Salts> {
        self.inner.salts.clone()
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Desk<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.tray.write(verb).await
    }

    /// Reads for the river.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.river.read(read).await
    }

    /// Reads what may take long, for those who ask by the API.
    pub(crate) async fn read_list<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.lists.read(read).await
    }
}

/// Without its writer a host accepts nothing and records nothing: if the writer panics, the process ends, and a start reads what is there.
struct EndWithTheWriter;

impl Drop for EndWithTheWriter {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tray.close();
    }
}

fn lock_folder(folder: &Path) -> Result<File, OpenError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(io(folder))?;
    let path = folder.join("lock");
    let lock = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(io(&path)(error)),
    }
}

/// SQLite gives its log and index files the mode of the database's file, so that one is made for the owner alone.
fn private_file(path: &Path) -> Result<(), OpenError> {
    let made = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    made.map(|_| ()).map_err(|source| OpenError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Keys go on above the greatest on disk, whichever row holds it.
fn greatest_key(connection: &Connection) -> rusqlite::Result<Key> {
    let greatest: i64 = connection.query_row(
        "SELECT max(coalesce((SELECT max(key) FROM event), 0), coalesce((SELECT max(first_key) FROM salt), 0),
             (SELECT value FROM setting WHERE name = 'mark'))",
        [],
        |row| row.get(0),
    )?;
    Ok(key(greatest))
}

#[cfg(test)]
pub(crate) mod tests;
