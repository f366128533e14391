//! The bytes of components, stored and removed piece by piece, a commit each.
//!
//! A component whose last version is deleted is marked in that commit, and its pieces are removed after it: what is marked is not there for
//! anybody, and a start goes on removing it. Bytes that are uploaded again meanwhile are there again once all of their pieces are. An upload
//! that comes to nothing leaves its component in the same way; one that was cut off is found by the next start.

use std::collections::HashSet;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};

use crate::StoreError;
use crate::desk::Desk;
use crate::store::Store;

/// A component is stored in pieces of this size, a commit each, so that none of them stalls its neighbours.
const PIECE_BYTES: usize = 512 * 1024;
/// Pieces of components that are looked at in one commit: more than one component has.
const LOOKED_AT_ONCE: usize = 500;
/// Pieces that are removed in one commit.
const REMOVED_AT_ONCE: usize = 4;

/// How many bytes a component has; `None` if it is not stored whole.
pub(crate) fn stored_bytes(connection: &Connection, digest: Digest) -> rusqlite::Result<Option<usize>> {
    connection
        .prepare_cached("SELECT bytes FROM component WHERE digest = ?1 AND bytes >= 0")?
        .query_row([digest.as_bytes()], |row| row.get(0))
        .optional()
}

/// The bytes of a component; `None` if it is not stored whole.
pub(crate) fn read_component(connection: &Connection, digest: Digest) -> rusqlite::Result<Option<Bytes>> {
    let Some(length) = stored_bytes(connection, digest)? else {
        return Ok(None);
    };
    let mut bytes: Vec<u8> = Vec::with_capacity(length);
    let mut read = connection.prepare_cached("SELECT piece FROM component_piece WHERE digest = ?1 ORDER BY number")?;
    let mut rows = read.query([digest.as_bytes()])?;
    while let Some(row) = rows.next()? {
        bytes.extend_from_slice(row.get_ref(0)?.as_blob().map_err(crate::wire::unreadable)?);
    }
    // Between the two reads it may have begun to be removed.
    Ok((bytes.len() == length).then(|| Bytes::from(bytes)))
}

impl Desk<'_> {
    /// How many bytes a component has; `None` if it is not stored whole.
    pub(crate) fn component_bytes(&self, digest: Digest) -> rusqlite::Result<Option<u64>> {
        Ok(stored_bytes(self.connection, digest)?.map(|bytes| bytes as u64))
    }

    /// Marks a component, whole or not, for removal, unless a version has its bytes. Says whether it is to be removed.
    pub(crate) fn leave_component(&self, digest: Digest) -> rusqlite::Result<bool> {
        let left = self
            .connection
            .prepare_cached(
                "INSERT INTO component (digest, bytes)
                 SELECT ?1, -1 WHERE EXISTS (SELECT 1 FROM component_piece WHERE digest = ?1)
                     AND NOT EXISTS (SELECT 1 FROM plugin_version WHERE digest = ?1 AND deleted_at IS NULL)
                 ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes",
            )?
            .execute([digest.as_bytes()])?;
        Ok(left > 0)
    }

    /// Writes a piece. One that is there goes first: SQLite leaves a row alone that is to be written over by the same.
    fn put_piece(&self, digest: Digest, number: usize, piece: &[u8]) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM component_piece WHERE digest = ?1 AND number = ?2")?
            .execute(params![digest.as_bytes(), number])?;
        self.connection
            .prepare_cached("INSERT INTO component_piece (digest, number, piece) VALUES (?1, ?2, ?3)")?
            .execute(params![digest.as_bytes(), number, piece])?;
        Ok(())
    }

    /// Makes a component one that is stored whole, if all of its pieces are there.
    fn make_whole(&self, digest: Digest, length: usize) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO component (digest, bytes)
                 SELECT ?1, ?2 WHERE (SELECT sum(length(piece)) FROM component_piece WHERE digest = ?1) = ?2
                 ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes",
            )?
            .execute(params![digest.as_bytes(), length])?;
        Ok(())
    }

    fn remove_pieces(&self, digest: Digest) -> rusqlite::Result<bool> {
        let leaving = self
            .connection
            .prepare_cached("SELECT 1 FROM component WHERE digest = ?1 AND bytes < 0")?
            .exists([digest.as_bytes()])?;
        if !leaving {
            return Ok(false);
        }
        let removed = self
            .connection
            .prepare_cached("DELETE FROM component_piece WHERE key IN (SELECT key FROM component_piece WHERE digest = ?1 LIMIT ?2)")?
            .execute(params![digest.as_bytes(), REMOVED_AT_ONCE])?;
        if removed < REMOVED_AT_ONCE {
            self.connection
                .prepare_cached("DELETE FROM component WHERE digest = ?1")?
                .execute([digest.as_bytes()])?;
        }
        Ok(removed == REMOVED_AT_ONCE)
    }
}

impl Store {
    /// Stores a component's bytes. Large ones take several commits. They are written even if they are there: else the time that it takes would
    /// tell a tenant whether another has them. While the same bytes are being removed it may be that they are not there in the end: a version
    /// that is added then says so. Unless it is `built_in`, it leaves free on the disk what is to be kept free, and may leave some pieces behind
    /// when there is no more.
    pub async fn put_component(&self, digest: Digest, bytes: Bytes, built_in: bool) -> Result<(), StoreError> {
        let length = bytes.len();
        for (number, start) in (0..length).step_by(PIECE_BYTES).enumerate() {
            if !built_in && !self.has_room() {
                return Err(StoreError::NoRoom);
            }
            let end = length.min(start + PIECE_BYTES);
            let piece = bytes.slice(start..end);
            self.write(move |desk| {
                desk.put_piece(digest, number, &piece)?;
                // With the last piece and not after it: a commit that changes nothing takes no time.
                if end == length {
                    desk.make_whole(digest, length)?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// The bytes of a component; `None` if it is not stored.
    pub async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.read(move |connection| read_component(connection, digest)).await
    }

    /// Which of these components are not stored.
    pub async fn not_stored(&self, mut digests: Vec<Digest>) -> Result<Vec<Digest>, StoreError> {
        self.read_list(move |connection| {
            let mut stored = HashSet::new();
            for digest in &digests {
                if stored_bytes(connection, *digest)?.is_some() {
                    stored.insert(*digest);
                }
            }
            digests.retain(|digest| !stored.contains(digest));
            Ok(digests)
        })
        .await
    }

    /// A piece of a component's bytes, by its number from 0, for those who ask by the API: so a download holds one piece at a time. `None`:
    /// there is none of that number, or the component is not stored any more.
    pub async fn component_piece(&self, digest: Digest, number: u32) -> Result<Option<Bytes>, StoreError> {
        self.read_list(move |connection| {
            let piece: Option<Vec<u8>> = connection
                .prepare_cached(
                    "SELECT p.piece FROM component c JOIN component_piece p ON p.digest = c.digest
                     WHERE c.digest = ?1 AND c.bytes >= 0 AND p.number = ?2",
                )?
                .query_row(params![digest.as_bytes(), number], |row| row.get(0))
                .optional()?;
            Ok(piece.map(Bytes::from))
        })
        .await
    }

    /// Removes some of the pieces of a component that is to be removed. Says whether there may be more.
    pub async fn remove_component_some(&self, digest: Digest) -> Result<bool, StoreError> {
        self.write(move |desk| desk.remove_pieces(digest)).await
    }

    /// Marks the component of an upload that came to nothing for removal, unless a version has its bytes. Says whether it is to be removed.
    pub async fn leave_component(&self, digest: Digest) -> Result<bool, StoreError> {
        self.write(move |desk| desk.leave_component(digest)).await
    }

    /// Components that are to be removed and are not yet, and those that no version has, as an upload leaves them that was cut off; the latter
    /// are marked. After `after`, by digest, a piece at a time: gives them, and where to go on. One whose upload is under way may be among
    /// them: its version then finds that it is not there, and puts it again.
    pub async fn leaving_components(&self, after: Option<Digest>) -> Result<(Vec<Digest>, Option<Digest>), StoreError> {
        self.write(move |desk| {
            let digests = |sql: &str, of: &[&dyn ToSql]| -> rusqlite::Result<Vec<Digest>> {
                let mut list = desk.connection.prepare_cached(sql)?;
                let found = list.query_map(of, |row| row.get(0).map(Digest::from_bytes))?;
                found.collect()
            };
            let of_pieces = "SELECT DISTINCT digest FROM (SELECT digest FROM component_piece WHERE digest > ?1 ORDER BY digest LIMIT ?2)";
            let from = after.as_ref().map_or([].as_slice(), |after| after.as_bytes());
            let looked_at = digests(of_pieces, &[&from, &LOOKED_AT_ONCE])?;
            let last = looked_at.last().copied();
            let mut leaving = match after {
                // Also those without a piece that is left.
                None => digests("SELECT digest FROM component WHERE bytes < 0", &[])?,
                Some(_) => Vec::new(),
            };
            for digest in looked_at {
                if desk.leave_component(digest)? && !leaving.contains(&digest) {
                    leaving.push(digest);
                }
            }
            Ok((leaving, last))
        })
        .await
    }
}
