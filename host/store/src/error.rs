//! What can go wrong in the store.

use std::path::PathBuf;

/// Why a data folder can not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the data folder {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// There is nothing to read.
    #[error("there is no database of a host in {}", .0.display())]
    NoDatabase(PathBuf),
    /// The database was written by a newer release.
    #[error(
        "the database has schema {found} and this release knows schemas up to {known}: use the newer release, or a backup from before it"
    )]
    NewerSchema {
        /// Its schema's number.
        found: usize,
        /// The newest that is known.
        known: usize,
    },
    /// The keyring is not one.
    #[error("the keyring {from}: {message}")]
    Keyring {
        /// Where it was read from.
        from: String,
        /// What is wrong with it.
        message: String,
    },
    /// A file or folder can not be made or read.
    #[error("can not open {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database refuses.
    #[error("can not open the database")]
    Database(#[from] rusqlite::Error),
}

/// Why a verb of the store was not carried out. Nothing of it is on disk then.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no room on the disk, or less than is to be kept free. It cures itself when there is.
    #[error("there is no room on the disk")]
    NoRoom,
    /// The database refused: a fault of the machine or of the house.
    #[error("the database failed: {0}")]
    Database(String),
    /// The store has been shut.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        StoreError::from(&error)
    }
}

impl From<&rusqlite::Error> for StoreError {
    fn from(error: &rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::NoRoom,
            _ => StoreError::Database(error.to_string()),
        }
    }
}

/// Why the river gets nothing to deliver an integration's requests by.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LiveError {
    /// There is no such integration.
    #[error("there is no such integration")]
    NotFound,
    /// Its headers and secrets do not open.
    #[error("its sealed values can not be opened")]
    Sealed(#[from] crate::seal::SealError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}
