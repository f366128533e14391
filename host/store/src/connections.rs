//! Connections to the database: the one that writes, and those that read beside it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::error::{OpenError, StoreError};

/// Statements kept prepared by each connection: more than there are in this crate.
const STATEMENTS: usize = 160;
/// Pages of the write-ahead log (4 KiB each) after which it is copied into the database.
const CHECKPOINT_PAGES: u32 = 4000;
/// What a log that has grown past that by a long reader is cut to.
const LOG_BYTES_KEPT: u32 = 64 * 1024 * 1024;

pub(crate) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    prepare(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(connection)
}

pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))
}

/// Connections that read, each by one at a time, away from the threads that must not wait.
pub(crate) struct Readers {
    connections: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn open(path: &Path, count: usize) -> Result<Arc<Readers>, OpenError> {
        let connections = (0..count).map(|_| open_reader(path)).collect::<Result<_, _>>()?;
        Ok(Arc::new(Readers {
            connections: Mutex::new(connections),
            turns: Arc::new(Semaphore::new(count)),
        }))
    }

    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Readers>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let readers = self.clone();
        let result = tokio::task::spawn_blocking(move || {
            // The turn goes with the connection: a caller who goes away leaves both in use until the read has ended.
            let _turn = turn;
            let connection = readers.lock().pop().expect("there are as many turns as connections");
            let lent = Lent {
                readers: &readers,
                connection: Some(connection),
            };
            lent.connection.as_ref().map(read).expect("it is there until it is given back")
        });
        Ok(result.await.map_err(|_| StoreError::Closed)??)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is in use. It is given back also where the read panics.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers.lock().extend(self.connection.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_panics_leaves_its_connection_to_the_next() {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let path = folder.path().join("a.db");
        Connection::open(&path).expect("it can be made");
        let readers = Readers::open(&path, 1).expect("it opens");
        let panicking = readers.read(|_| -> rusqlite::Result<()> { panic!("as a test wants it") });
        assert!(panicking.await.is_err());
        let one = readers.read(|connection| connection.query_row("SELECT 1", [], |row| row.get::<_, i64>(0)));
        assert_eq!(one.await.expect("it reads"), 1);
    }
}
