//! What verbs work with inside a transaction: the connection, and the drawer of what the writer remembers between commits.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hookmill_domain::clock::Clock;
use hookmill_domain::ids::Salt;
use hookmill_domain::integration::{OrganizationKey, Revision};
use hookmill_domain::key::{Key, KeyMint};
use hookmill_domain::time::Time;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use crate::listing::Unlisted;

/// An open transaction and the writer's memory.
pub(crate) struct Desk<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) drawer: &'a mut Drawer,
    /// What each event and each delivery of a commit runs.
    pub(crate) insert_event: Held<'a>,
    pub(crate) insert_outcome: Held<'a>,
}

/// A statement that is taken out of the connection's cache once, for as long as a commit is made: each look there costs a copy of its text.
#[derive(Default)]
pub(crate) struct Held<'a>(Option<CachedStatement<'a>>);

impl<'a> Held<'a> {
    /// The statement, which is always asked for with the same text.
    pub(crate) fn get(&mut self, connection: &'a Connection, sql: &str) -> rusqlite::Result<&mut CachedStatement<'a>> {
        let statement = match self.0.take() {
            Some(statement) => statement,
            None => connection.prepare_cached(sql)?,
        };
        Ok(self.0.insert(statement))
    }
}

/// The writer's memory. All of it can be read again from the file.
pub(crate) struct Drawer {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) mint: KeyMint,
    pub(crate) salts: Arc<Salts>,
    /// This start's salt, until a commit has saved it with its first key.
    unsaved_salt: Option<Salt>,
    saving_salt: Option<(Key, Salt)>,
    /// Present revisions, read when they are first asked for.
    revisions: HashMap<OrganizationKey, i64>,
    host_revision: Option<i64>,
    pub(crate) unlisted: Unlisted,
}

/// The most organizations whose present revision is remembered.
const REVISIONS_MAX: usize = 100_000;

impl Drawer {
    pub(crate) fn new(clock: Arc<dyn Clock>, mint: KeyMint, salts: Arc<Salts>, salt: Salt) -> Drawer {
        Drawer {
            clock,
            mint,
            salts,
            unsaved_salt: Some(salt),
            saving_salt: None,
            revisions: HashMap::new(),
            host_revision: None,
            unlisted: Unlisted::default(),
        }
    }

    /// The salt of an event that is on disk or in this commit.
    pub(crate) fn salt_of(&self, key: Key) -> Option<Salt> {
        let fresh = self.saving_salt.filter(|(first, _)| *first <= key).map(|(_, salt)| salt);
        fresh.or_else(|| self.salts.of(key))
    }

    pub(crate) fn committed(&mut self) {
        self.unlisted.committed();
        if self.saving_salt.take().is_some() {
            self.unsaved_salt = None;
        }
    }

    /// What a savepoint goes back to.
    pub(crate) fn saving(&self) -> Option<(Key, Salt)> {
        self.saving_salt
    }

    pub(crate) fn rolled_back(&mut self) {
        self.unlisted.rolled_back();
        self.rolled_back_to(None);
    }

    /// The same for a savepoint: what the commit had saved before it stands.
    pub(crate) fn rolled_back_to(&mut self, saving: Option<(Key, Salt)>) {
        self.saving_salt = saving;
        self.revisions.clear();
        self.host_revision = None;
    }
}

impl<'a> Desk<'a> {
    /// At the beginning of a transaction.
    pub(crate) fn new(connection: &'a Connection, drawer: &'a mut Drawer) -> Desk<'a> {
        Desk {
            connection,
            drawer,
            insert_event: Held::default(),
            insert_outcome: Held::default(),
        }
    }
}

impl Desk<'_> {
    pub(crate) fn now(&self) -> Time {
        self.drawer.clock.now()
    }

    /// The organization's present revision, `None` if there is no such organization, and the host's.
    pub(crate) fn revision(&mut self, organization: OrganizationKey) -> rusqlite::Result<Option<Revision>> {
        let host = self.host_revision()?;
        if let Some(known) = self.drawer.revisions.get(&organization) {
            return Ok(Some(Revision {
                organization: *known,
                host,
            }));
        }
        let mut find = self.connection.prepare_cached("SELECT revision FROM organization WHERE key = ?1")?;
        let found: Option<i64> = find.query_row([organization.0], |row| row.get(0)).optional()?;
        if let Some(found) = found {
            if self.drawer.revisions.len() >= REVISIONS_MAX {
                self.drawer.revisions.clear();
            }
            self.drawer.revisions.insert(organization, found);
        }
        Ok(found.map(|organization| Revision { organization, host }))
    }

    pub(crate) fn host_revision(&mut self) -> rusqlite::Result<i64> {
        match self.drawer.host_revision {
            Some(known) => Ok(known),
            None => {
                let found = setting(self.connection, "host_revision")?;
                self.drawer.host_revision = Some(found);
                Ok(found)
            }
        }
    }

    /// Makes the organization's next revision and gives its number.
    pub(crate) fn next_revision(&mut self, organization: OrganizationKey) -> rusqlite::Result<i64> {
        self.drawer.revisions.remove(&organization);
        let mut raise = self
            .connection
            .prepare_cached("UPDATE organization SET revision = revision + 1 WHERE key = ?1 RETURNING revision")?;
        raise.query_row([organization.0], |row| row.get(0))
    }

    /// Makes the host's next revision and gives its number.
    pub(crate) fn next_host_revision(&mut self) -> rusqlite::Result<i64> {
        let next = self.host_revision()? + 1;
        self.drawer.host_revision = None;
        self.set_setting("host_revision", next)?;
        Ok(next)
    }

    /// The next key, with its salt. The first key of a start saves the start's salt in the same commit.
    pub(crate) fn mint(&mut self, now: Time) -> rusqlite::Result<(Key, Salt)> {
        let key = self.drawer.mint.mint(now);
        let salt = self.salt_from(key)?;
        Ok((key, salt))
    }

    /// This start's salt for an order: saved with this commit, for the keys to come, if it was not yet.
    pub(crate) fn salt_for_orders(&mut self) -> rusqlite::Result<Salt> {
        let next = self.drawer.mint.last().as_i64().saturating_add(1);
        self.salt_from(key(next))
    }

    fn salt_from(&mut self, first: Key) -> rusqlite::Result<Salt> {
        if let Some((_, salt)) = self.drawer.saving_salt {
            return Ok(salt);
        }
        let Some(salt) = self.drawer.unsaved_salt else {
            return Ok(self.drawer.salts.newest());
        };
        self.connection.execute(
            "INSERT INTO salt (first_key, salt) VALUES (?1, ?2)",
            params![first.as_i64(), salt.as_i64()],
        )?;
        self.drawer.saving_salt = Some((first, salt));
        // Known before the commit: whoever reads one of its rows the moment after it takes this salt and not the one before. Should the commit
        // fail, no row has a key that this entry is asked for, and the next one makes another of the same salt.
        self.drawer.salts.push(first, salt);
        Ok(salt)
    }

    pub(crate) fn set_setting(&self, name: &str, value: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE setting SET value = ?2 WHERE name = ?1")?
            .execute(params![name, value])?;
        Ok(())
    }
}

/// A setting's value; each of them is there from the first schema on.
pub(crate) fn setting(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
}

/// Which salt the ids of an event carry, by its key. One entry for each start that accepted something.
pub(crate) struct Salts {
    /// Sorted by first key.
    by_first_key: RwLock<Vec<(Key, Salt)>>,
}

impl Salts {
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Salts> {
        let mut read = connection.prepare("SELECT first_key, salt FROM salt ORDER BY first_key")?;
        let rows = read.query_map([], |row| Ok((key(row.get(0)?), Salt::new(row.get::<_, i64>(1)? as u64))))?;
        Ok(Salts {
            by_first_key: RwLock::new(rows.collect::<Result<_, _>>()?),
        })
    }

    /// The salt of the event with that key; `None` if none was accepted by then.
    pub(crate) fn of(&self, key: Key) -> Option<Salt> {
        let salts = self.by_first_key.read().unwrap_or_else(PoisonError::into_inner);
        let after = salts.partition_point(|(first, _)| *first <= key);
        salts.get(after.checked_sub(1)?).map(|(_, salt)| *salt)
    }

    fn newest(&self) -> Salt {
        let salts = self.by_first_key.read().unwrap_or_else(PoisonError::into_inner);
        salts.last().map_or(Salt::new(0), |(_, salt)| *salt)
    }

    fn push(&self, first: Key, salt: Salt) {
        self.by_first_key
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push((first, salt));
    }
}

/// A key as a row holds it. What is not one (a damaged file) reads as the lowest.
pub(crate) fn key(raw: i64) -> Key {
    Key::from_i64(raw).unwrap_or(Key::ZERO)
}
