//! The schema and its history: numbered, append-only steps. A file of a newer schema is refused, never guessed at.

use std::path::Path;

use rusqlite::Connection;

use crate::error::OpenError;

/// Step `n` leads from schema `n` to `n + 1`. A released step never changes.
const STEPS: [&str; 1] = [include_str!("schema.sql")];

/// Whether what reads beside a host can read the file as it stands. What it reads it must find in every schema up to the newest.
pub(crate) fn check_readable(connection: &Connection, folder: &Path) -> Result<(), OpenError> {
    let found: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match found {
        0 => Err(OpenError::NoDatabase(folder.to_owned())),
        found if found > STEPS.len() => Err(OpenError::NewerSchema { found, known: STEPS.len() }),
        _ => Ok(()),
    }
}

/// Brings the file up to the newest schema, each step in a transaction of its own.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let found: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > STEPS.len() {
        return Err(OpenError::NewerSchema { found, known: STEPS.len() });
    }
    for (number, step) in STEPS.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
