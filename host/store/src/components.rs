//! The bytes of components, stored and removed piece by piece, a commit each.
//!
//! A component whose last version is deleted is marked in that commit, and its pieces are removed after it: what is marked is not there for
//! anybody, and a start goes on removing it. Bytes that are uploaded again meanwhile are there again once all of their pieces are. An upload
//! that comes to nothing leaves its component in the same way; one that was cut off is found by the next start.

use std::collections::HashSet;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::integration::OrganizationKey;
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};

use crate::StoreError;
use crate::desk::Desk;
use crate::past::has_version_of;
use crate::plugins::HOST;
use crate::store::Store;

/// A component is stored in pieces of this size, a commit each, so that none of them stalls its neighbours.
const PIECE_BYTES: usize = 512 * 1024;
/// Pieces of components that are looked at in one commit: more than one component has.
const LOOKED_AT_ONCE: usize = 500;
/// Pieces that are removed in one commit.
const REMOVED_AT_ONCE: usize = 4;
/// In place of its length: a component's pieces are being removed.
const LEAVING: i64 = -1;

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
    /// Stores a component's bytes, if they are not there. Large ones take several commits. While the same bytes are being removed it may be
    /// that they are not there in the end: a version that is added then says so. Unless it is `built_in`, it leaves free on the disk what is to
    /// be kept free, and may leave some pieces behind when there is no more.
    ///
    /// Bytes that are there already take no time, and whoever did not have them is not to learn that others have: with a `decoy` as much is
    /// written under its name, to be removed.
    pub async fn put_component(&self, digest: Digest, bytes: Bytes, decoy: Option<Digest>, built_in: bool) -> Result<(), StoreError> {
        let is_there = self.read(move |connection| stored_bytes(connection, digest)).await?.is_some();
        let (name, length) = match (is_there, decoy) {
            (false, _) => (digest, i64::try_from(bytes.len()).unwrap_or(i64::MAX)),
            (true, Some(decoy)) => (decoy, LEAVING),
            (true, None) => return Ok(()),
        };
        for (number, start) in (0..bytes.len()).step_by(PIECE_BYTES).enumerate() {
            if !built_in && !self.has_room() {
                return Err(StoreError::NoRoom);
            }
            let piece = bytes.slice(start..bytes.len().min(start + PIECE_BYTES));
            self.write(move |desk| {
                // Two uploads of the same bytes write the same pieces.
                desk.connection
                    .prepare_cached("INSERT OR IGNORE INTO component_piece (digest, number, piece) VALUES (?1, ?2, ?3)")?
                    .execute(params![name.as_bytes(), number, &piece[..]])?;
                Ok(())
            })
            .await?;
        }
        let bytes = bytes.len();
        self.write(move |desk| {
            desk.connection
                .prepare_cached(
                    "INSERT INTO component (digest, bytes)
                     SELECT ?1, ?2 WHERE (SELECT sum(length(piece)) FROM component_piece WHERE digest = ?1) = ?3
                     ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes",
                )?
                .execute(params![name.as_bytes(), length, bytes])?;
            Ok(())
        })
        .await
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
    /// there is none of that number, or the owner (`None`: the host) has no version with these bytes any more, nor has the host, whoever else
    /// may have one.
    pub async fn component_piece(&self, owner: Option<OrganizationKey>, digest: Digest, number: u32) -> Result<Option<Bytes>, StoreError> {
        self.read_list(move |connection| {
            if !has_version_of(connection, owner.unwrap_or(HOST), digest)? {
                return Ok(None);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::open;

    async fn pieces(store: &Store, digest: Digest) -> u32 {
        let counted = store.read(move |connection| {
            let count = "SELECT count(*) FROM component_piece WHERE digest = ?1";
            connection.query_row(count, [digest.as_bytes()], |row| row.get(0))
        });
        counted.await.expect("it reads")
    }

    /// How long an upload takes would tell that others have the same bytes.
    #[tokio::test]
    async fn as_much_is_written_where_others_have_the_same_bytes() {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let store = open(folder.path());
        let bytes = Bytes::from(vec![7; 3 * PIECE_BYTES]);
        let (digest, first, second) = (Digest::of(&bytes), Digest::of(b"first"), Digest::of(b"second"));
        let put = |decoy| store.put_component(digest, bytes.clone(), decoy, false);
        put(Some(first)).await.expect("it writes");
        assert_eq!((pieces(&store, digest).await, pieces(&store, first).await), (3, 0));
        put(None).await.expect("there is nothing to write");
        put(Some(second)).await.expect("it writes");
        assert_eq!((pieces(&store, digest).await, pieces(&store, second).await), (3, 3));

        // Nobody finds it, and it goes.
        assert!(store.component(second).await.expect("it reads").is_none());
        let (leaving, _) = store.leaving_components(None).await.expect("it reads");
        assert!(leaving.contains(&second));
        assert!(store.leave_component(second).await.expect("it writes"));
        while store.remove_component_some(second).await.expect("it writes") {}
        assert_eq!((pieces(&store, digest).await, pieces(&store, second).await), (3, 0));
        store.close().await;
    }
}
