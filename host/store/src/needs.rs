//! What still needs a version of a plugin, and its deletion.
//!
//! A version that is neither active nor pinned comes to be needed by nothing new. What is left are runs of the time when it was: those of
//! integrations that follow the plugin or once pinned the version. Revisions grow with the keys of events, and an order stands under no
//! earlier revision than its event. So an integration's open runs are read from the oldest on, and no further than to the first event of a
//! later time; where there are too many older ones to be told from one another, the version counts as needed. What is read together is read
//! in one snapshot, so that nothing moves from what is not read yet to what has been read.
//!
//! ```text
//! begin_deletion ─▶ settle ─▶ version_users ─▶ (runs in memory) ─▶ settle ─▶ add_needs …  ─▶ delete_version, if the plugin stands as it did
//! ```

mod search;
#[cfg(test)]
mod tests;

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{EventId, RunId};
use hookmill_domain::integration::{IntegrationKey, OrganizationKey, Revision};
use hookmill_domain::names::PluginName;
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::StoreError;
use crate::desk::Desk;
use crate::plugins::{IN_FORCE, plugin_of};
use crate::records::RunRef;
use crate::store::Store;
use crate::uses::{NamedIntegration, Stand, pinned_by, read_named, stand};

use search::Search;

/// The most of each kind that an answer names.
const NAMED_MAX: usize = 10;

/// What needs a version.
#[derive(Debug, Default)]
pub struct Needed {
    /// It is the active one.
    pub active: bool,
    /// Integrations that pin it.
    pub pinned_by: Vec<NamedIntegration>,
    /// Open runs under it.
    pub runs: Vec<NeededRun>,
    /// Integrations with open runs that may be under it: too many to be told from one another, or just being resumed.
    pub open_runs_of: Vec<NamedIntegration>,
    /// Whether there is, or may be, more than is named here.
    pub more: bool,
}

impl Needed {
    /// Whether anything needs it.
    pub fn is_any(&self) -> bool {
        self.active || !self.pinned_by.is_empty() || !self.runs.is_empty() || !self.open_runs_of.is_empty()
    }

    /// Whether enough is named for an answer.
    pub fn is_enough(&self) -> bool {
        self.runs.len() >= NAMED_MAX || self.open_runs_of.len() >= NAMED_MAX
    }

    fn add_open_runs_of(&mut self, integration: &NamedIntegration) {
        if !self.open_runs_of.contains(integration) {
            self.open_runs_of.push(integration.clone());
        }
    }
}

/// A run that needs a version.
#[derive(Debug, Clone)]
pub struct NeededRun {
    /// Its id.
    pub id: RunId,
    /// Its event's id.
    pub event: EventId,
    /// Its integration.
    pub integration: NamedIntegration,
    /// What of it is open.
    pub open: OpenWork,
}

/// What of a run is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenWork {
    /// It has not ended.
    Pending,
    /// It waits in the queue.
    Queued,
    /// It is parked.
    Parked,
    /// A delivery of it is.
    Delivery,
}

/// A deletion that has begun: nothing new needs the version for as long as its plugin stands so.
#[derive(Debug, Clone)]
pub struct Deletion {
    plugin: i64,
    version: u32,
    owner: Option<OrganizationKey>,
    stand: Stand,
    /// The revision of the owner from which on the version is not active any more; 0 if it never was.
    active_until: i64,
}

/// The beginning of a deletion.
#[derive(Debug)]
pub enum Withdrawal {
    /// There is no such version.
    NotFound,
    /// It is in use.
    Needed(Needed),
    /// Runs of former times may need it.
    Begun(Deletion),
}

/// An integration that names, or named, a version or the plugin.
#[derive(Debug, Clone)]
pub struct User {
    /// Its number.
    pub key: IntegrationKey,
    integration: NamedIntegration,
    organization: OrganizationKey,
    /// Whether it named the version; else it followed the plugin.
    pinned: bool,
    valid_from: i64,
    valid_until: i64,
}

/// The end of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is deleted; that component is to be removed, if no other version has its bytes.
    Done(Option<Digest>),
    /// The plugin does not stand any more as it did: begin again.
    Moved,
}

impl Deletion {
    /// Whether the version ever was the active one: else nobody who followed the plugin needs it.
    pub fn was_active(&self) -> bool {
        self.active_until > 0
    }

    /// Whether a run that was accepted or ordered under a revision is one of that user's under the version.
    fn covers(&self, connection: &Connection, user: &User, revision: Revision) -> rusqlite::Result<bool> {
        if !(user.valid_from..user.valid_until).contains(&revision.organization) {
            return Ok(false);
        }
        if user.pinned {
            return Ok(true);
        }
        let active: Option<u32> = connection
            .prepare_cached("SELECT version FROM plugin_active WHERE plugin = ?1 AND valid_until > ?2 AND valid_from <= ?2")?
            .query_row(params![self.plugin, self.owners(revision)], |row| row.get(0))
            .optional()?;
        Ok(active == Some(self.version))
    }

    /// Whether no run of an event of that revision, or of a later one, is that user's under the version.
    fn is_past(&self, user: &User, revision: Revision) -> bool {
        revision.organization >= user.valid_until || (!user.pinned && self.owners(revision) >= self.active_until)
    }

    fn owners(&self, revision: Revision) -> i64 {
        if self.owner.is_some() {
            revision.organization
        } else {
            revision.host
        }
    }
}

fn begin(connection: &Connection, owner: Option<OrganizationKey>, name: &PluginName, version: u32) -> rusqlite::Result<Withdrawal> {
    let Some(plugin) = plugin_of(connection, owner, name)? else {
        return Ok(Withdrawal::NotFound);
    };
    let is_there = connection
        .prepare_cached("SELECT 1 FROM plugin_version WHERE plugin = ?1 AND version = ?2 AND deleted_at IS NULL")?
        .exists(params![plugin, version])?;
    if !is_there {
        return Ok(Withdrawal::NotFound);
    }
    let active_until: i64 = connection
        .prepare_cached("SELECT coalesce(max(valid_until), 0) FROM plugin_active WHERE plugin = ?1 AND version = ?2")?
        .query_row(params![plugin, version], |row| row.get(0))?;
    let mut pinned_by = pinned_by(connection, plugin, version, NAMED_MAX + 1)?;
    let more = pinned_by.len() > NAMED_MAX;
    pinned_by.truncate(NAMED_MAX);
    let needed = Needed {
        active: active_until == IN_FORCE,
        pinned_by,
        more,
        ..Needed::default()
    };
    if needed.is_any() {
        return Ok(Withdrawal::Needed(needed));
    }
    Ok(Withdrawal::Begun(Deletion {
        plugin,
        version,
        owner,
        stand: stand(connection, Some(plugin))?,
        active_until,
    }))
}

fn users(connection: &Connection, deletion: &Deletion, pinned: bool, after: IntegrationKey, limit: usize) -> rusqlite::Result<Vec<User>> {
    let mut list = connection.prepare_cached(
        "SELECT u.integration, i.id, o.name, i.organization, u.valid_from, u.valid_until
         FROM plugin_use u JOIN integration i ON i.key = u.integration JOIN organization o ON o.key = i.organization
         WHERE u.plugin = ?1 AND u.version = ?2 AND u.integration > ?3 ORDER BY u.integration LIMIT ?4",
    )?;
    let named = if pinned { deletion.version } else { 0 };
    let rows = list.query_map(params![deletion.plugin, named, after.0, limit], |row| {
        Ok(User {
            key: IntegrationKey(row.get(0)?),
            integration: read_named(row, 1, 2)?,
            organization: OrganizationKey(row.get(3)?),
            pinned,
            valid_from: row.get(4)?,
            valid_until: row.get(5)?,
        })
    })?;
    rows.collect()
}

impl Desk<'_> {
    fn delete_version(&mut self, deletion: &Deletion, now: Time) -> rusqlite::Result<Deleted> {
        if !stand(self.connection, Some(deletion.plugin))?.has_same_versions(&deletion.stand) {
            return Ok(Deleted::Moved);
        }
        let is_in_force = self
            .connection
            .prepare_cached(
                "SELECT 1 FROM plugin_active WHERE plugin = ?1 AND version = ?2 AND valid_until = ?3
                 UNION ALL SELECT 1 FROM plugin_use WHERE plugin = ?1 AND version = ?2 AND valid_until = ?3",
            )?
            .exists(params![deletion.plugin, deletion.version, IN_FORCE])?;
        if is_in_force {
            return Ok(Deleted::Moved);
        }
        let digest: Option<[u8; 32]> = self
            .connection
            .prepare_cached(
                "UPDATE plugin_version SET deleted_at = ?3, schema = NULL WHERE plugin = ?1 AND version = ?2 AND deleted_at IS NULL
                 RETURNING digest",
            )?
            .query_row(params![deletion.plugin, deletion.version, now.millis()], |row| row.get(0))
            .optional()?;
        let Some(digest) = digest.map(Digest::from_bytes) else {
            return Ok(Deleted::Moved);
        };
        if let Some(owner) = deletion.owner {
            self.subtract_component_bytes(owner, digest)?;
        }
        Ok(Deleted::Done(self.leave_component(digest)?.then_some(digest)))
    }
}

impl Store {
    /// Begins to delete a version of a plugin; `None` as the owner: the host.
    pub async fn begin_deletion(&self, owner: Option<OrganizationKey>, name: PluginName, version: u32) -> Result<Withdrawal, StoreError> {
        self.read_list(move |connection| {
            let snapshot = connection.unchecked_transaction()?;
            begin(&snapshot, owner, &name, version)
        })
        .await
    }

    /// Integrations that have named the version (`pinned`) or followed the plugin, by ascending key, above `after`, at most `limit`.
    pub async fn version_users(
        &self,
        deletion: Deletion,
        pinned: bool,
        after: IntegrationKey,
        limit: usize,
    ) -> Result<Vec<User>, StoreError> {
        self.read_list(move |connection| users(connection, &deletion, pinned, after, limit))
            .await
    }

    /// Waits until all that was left to be recorded is on disk, and the sink has been told of all that was on disk before.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await
    }

    /// Adds to `needed` what of users' open runs needs the version. With each user come its runs that the river had in memory before the
    /// store last settled; what it had given up by then is on disk.
    pub async fn add_needs(&self, deletion: Deletion, users: Vec<(User, Vec<RunRef>)>, mut needed: Needed) -> Result<Needed, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| {
            let snapshot = connection.unchecked_transaction()?;
            let mut search = Search {
                connection: &snapshot,
                salts: &salts,
                deletion: &deletion,
                needed: &mut needed,
            };
            for (user, memory) in &users {
                if search.needed.is_enough() {
                    search.needed.more = true;
                    break;
                }
                search.add(user, memory)?;
            }
            Ok(needed)
        })
        .await
    }

    /// Deletes a version that nothing needs, if its plugin stands as it did when that began to be asked. Its row stays, without its schema;
    /// its component's bytes go, if no other version has them, by [`Store::remove_component_some`].
    pub async fn delete_version(&self, deletion: Deletion, now: Time) -> Result<Deleted, StoreError> {
        self.write(move |desk| desk.delete_version(&deletion, now)).await
    }
}
