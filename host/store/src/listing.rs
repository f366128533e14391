//! The listing: which events an organization has, sorted by organization. An index would cost each event a page of its own; this one is filled
//! in bulk, behind a mark, and whoever reads lists looks through the few events above the mark.

use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::key::Key;
use rusqlite::{Connection, params};

use crate::desk::{Desk, key, setting};

/// The listing is filled for so many events at once, sorted, since a row at a time costs a page at a time.
const LISTED_AT_ONCE: usize = 4000;

/// The events above the mark, in the order in which they came. Reading them from their rows would cost the pages of all their data.
#[derive(Debug, Default)]
pub(crate) struct Unlisted {
    events: Vec<(OrganizationKey, Key)>,
    /// So many of them are on disk; the rest is in the open transaction.
    committed: usize,
    /// The open transaction lists all of them.
    is_listing: bool,
}

impl Unlisted {
    /// Those that the last start has left.
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Unlisted> {
        let mut read = connection.prepare("SELECT organization, key FROM event WHERE key > ?1 ORDER BY key")?;
        let events = read.query_map([setting(connection, "listed")?], |row| {
            Ok((OrganizationKey(row.get(0)?), key(row.get(1)?)))
        })?;
        let events: Vec<_> = events.collect::<Result<_, _>>()?;
        Ok(Unlisted {
            committed: events.len(),
            events,
            is_listing: false,
        })
    }

    pub(crate) fn add(&mut self, organization: OrganizationKey, event: Key) {
        self.events.push((organization, event));
    }

    pub(crate) fn committed(&mut self) {
        if std::mem::take(&mut self.is_listing) {
            self.events.clear();
        }
        self.committed = self.events.len();
    }

    pub(crate) fn rolled_back(&mut self) {
        self.is_listing = false;
        self.events.truncate(self.committed);
    }
}

impl Desk<'_> {
    /// Fills the listing behind its mark, once enough events stand above it.
    pub(crate) fn fill_listing(&mut self) -> rusqlite::Result<()> {
        if self.drawer.unlisted.events.len() < LISTED_AT_ONCE {
            return Ok(());
        }
        // Should the commit fail, those that are on disk are still to be told from those of this transaction, by where they stand.
        let mut sorted = self.drawer.unlisted.events.clone();
        sorted.sort_unstable();
        let mut insert = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO listing (organization, event) VALUES (?1, ?2)")?;
        for (organization, event) in sorted {
            insert.execute(params![organization.0, event.as_i64()])?;
        }
        let last = self.drawer.mint.last().as_i64();
        self.set_setting("listed", last)?;
        self.drawer.unlisted.is_listing = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hookmill_domain::time::Time;

    use super::*;
    use crate::store::Store;
    use crate::store::tests::open;

    /// Accepts so many events of two organizations in turns, as rows, and fills the listing; or fails after that.
    async fn accept(store: &Store, count: i64, fails: bool) {
        let done = store.write(move |desk| {
            for number in 0..count {
                let (event, _) = desk.mint(Time::from_millis(1_790_000_000_000))?;
                let organization = OrganizationKey(number % 2);
                desk.connection.execute(
                    "INSERT INTO event (key, organization, revision, host_revision, owed, payload, kind, document, data)
                     VALUES (?1, ?2, 0, 0, 0, 0, 'document_text', 'd', x'00')",
                    params![event.as_i64(), organization.0],
                )?;
                desk.drawer.unlisted.add(organization, event);
            }
            if fails {
                // Rolls back the whole transaction, as a full disk does.
                desk.fill_listing()?;
                desk.connection.execute_batch("ROLLBACK")?;
                return Err(rusqlite::Error::InvalidQuery);
            }
            Ok(())
        });
        assert_eq!(done.await.is_err(), fails);
    }

    /// Events in the listing, and above its mark.
    async fn counts(store: &Store) -> (i64, i64) {
        let counts = store.write(|desk| {
            let count = |sql: &str| desk.connection.query_row(sql, [], |row| row.get(0));
            Ok((
                count("SELECT count(*) FROM listing")?,
                count("SELECT count(*) FROM event WHERE key > (SELECT value FROM setting WHERE name = 'listed')")?,
            ))
        });
        counts.await.expect("the writer answers")
    }

    #[tokio::test]
    async fn every_event_is_listed_once_also_after_a_commit_that_failed_and_a_restart() {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let store = open(folder.path());
        accept(&store, 3999, false).await;
        assert_eq!(counts(&store).await, (0, 3999));
        accept(&store, 10, true).await;
        assert_eq!(counts(&store).await, (0, 3999), "as if it had not been");
        accept(&store, 1, false).await;
        assert_eq!(counts(&store).await, (4000, 0));
        accept(&store, 3998, false).await;
        store.close().await;
        let store = open(folder.path());
        assert_eq!(counts(&store).await, (4000, 3998));
        accept(&store, 2, false).await;
        assert_eq!(counts(&store).await, (8000, 0), "with those that the start before had left");
        let wrong = store.write(|desk| {
            let sql = "SELECT count(*) FROM event JOIN listing ON event = key WHERE event.organization != listing.organization";
            desk.connection.query_row(sql, [], |row| row.get::<_, i64>(0))
        });
        assert_eq!(wrong.await.expect("the writer answers"), 0);
        store.close().await;
    }
}
