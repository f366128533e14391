//! Versions of plugins: added and activated. How they are looked up stands in [`lookup`], what an owner may have of them in [`quota`].

mod lookup;
mod quota;

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::PluginId;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::PluginName;
use hookmill_domain::time::Time;
use rusqlite::{OptionalExtension as _, params};

use crate::StoreError;
use crate::desk::Desk;
use crate::store::Store;
use crate::uses::{Stand, stand, waiting_for};

pub use lookup::{PluginFound, PluginVersion};
pub(crate) use lookup::{find_plugin, meant_version, owner_key, plugin_key, plugin_of, read_version, read_version_row, versions};
pub use quota::{PluginsMax, TooMuch};

use lookup::active_version;
use quota::too_much;

/// What the host itself is as an owner of plugins.
pub(crate) const HOST: OrganizationKey = OrganizationKey(0);

/// What `valid_until` holds for what is still in force.
pub(crate) const IN_FORCE: i64 = i64::MAX;

/// A version that is to be added.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// An id, should the plugin be a new one.
    pub id: PluginId,
    /// The plugin's name.
    pub name: PluginName,
    /// The digest of a component that is stored.
    pub digest: Digest,
    /// The version of the contract that it exports.
    pub contract: String,
    /// JSON Schema of its configuration, if it has one.
    pub schema: Option<String>,
    /// Whether it becomes the active one.
    pub activate: Activate,
}

/// Whether a version becomes the active one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activate {
    /// It stays as it is.
    No,
    /// It does: it takes any configuration.
    Yes,
    /// It does, if the plugin stands as it did when the configurations of those who follow it were judged.
    IfStill(Stand),
}

/// What became of an upload.
#[derive(Debug)]
pub enum Uploaded {
    /// It is there.
    Done {
        /// The version.
        version: PluginVersion,
        /// Whether these bytes are a new version of that plugin, or one that had been deleted.
        new: bool,
        /// Runs of integrations that follow the plugin which wait: parked, or queued behind too many faults. Counted up to a thousand.
        waiting: u64,
    },
    /// The organization would have more than it may have.
    TooMuch(TooMuch),
    /// The plugin does not stand any more as it did: look again.
    Moved,
    /// The component is not stored (any more): store it again.
    NoComponent,
}

/// What became of the wish to activate a version.
#[derive(Debug)]
pub enum Activated {
    /// It is the active one.
    Done {
        /// The version.
        version: PluginVersion,
        /// Runs that wait, as of an upload.
        waiting: u64,
    },
    /// There is no such version.
    NotFound,
    /// The plugin does not stand any more as it did: look again.
    Moved,
}

impl Desk<'_> {
    fn add_version(&mut self, owner: OrganizationKey, new: &NewVersion, max: PluginsMax, now: Time) -> rusqlite::Result<Uploaded> {
        let found = plugin_key(self.connection, owner, &new.name)?;
        if let Activate::IfStill(judged) = new.activate
            && !stand(self.connection, found)?.has_same_followers(&judged)
        {
            return Ok(Uploaded::Moved);
        }
        // Those that had these bytes may have been deleted since they were found to be there.
        let Some(bytes) = self.component_bytes(new.digest)? else {
            return Ok(Uploaded::NoComponent);
        };
        if let Some(too_much) = too_much(self.connection, owner, found, (new.digest, bytes), max)? {
            return Ok(Uploaded::TooMuch(too_much));
        }
        let plugin = match found {
            Some(plugin) => plugin,
            None => {
                self.connection.execute(
                    "INSERT INTO plugin (id, organization, name, created_at) VALUES (?1, ?2, ?3, ?4)",
                    params![new.id.as_bytes(), owner.0, new.name.as_str(), now.millis()],
                )?;
                self.connection.last_insert_rowid()
            }
        };
        let (version, is_new) = self.put_version(plugin, new, now)?;
        if is_new {
            self.add_component_bytes(owner, bytes)?;
        }
        if new.activate != Activate::No {
            self.activate(owner, plugin, version)?;
        }
        let version = read_version(self.connection, plugin, version)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        Ok(Uploaded::Done {
            version,
            new: is_new,
            waiting: 0,
        })
    }

    /// The number of these bytes among the plugin's versions, and whether they were not there. Deleted ones come back under their number.
    fn put_version(&self, plugin: i64, new: &NewVersion, now: Time) -> rusqlite::Result<(u32, bool)> {
        let same: Option<(u32, bool)> = self
            .connection
            .prepare_cached("SELECT version, deleted_at IS NOT NULL FROM plugin_version WHERE digest = ?2 AND plugin = ?1")?
            .query_row(params![plugin, new.digest.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match same {
            Some((version, false)) => Ok((version, false)),
            Some((version, true)) => {
                self.connection.execute(
                    "UPDATE plugin_version SET contract = ?3, schema = ?4, created_at = ?5, deleted_at = NULL WHERE plugin = ?1 AND version = ?2",
                    params![plugin, version, new.contract, new.schema, now.millis()],
                )?;
                Ok((version, true))
            }
            None => {
                let next: u32 = self.connection.query_row(
                    "SELECT coalesce(max(version), 0) + 1 FROM plugin_version WHERE plugin = ?1",
                    [plugin],
                    |row| row.get(0),
                )?;
                self.connection.execute(
                    "INSERT INTO plugin_version (plugin, version, digest, contract, schema, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![plugin, next, new.digest.as_bytes(), new.contract, new.schema, now.millis()],
                )?;
                Ok((next, true))
            }
        }
    }

    fn activate_version(
        &mut self,
        owner: OrganizationKey,
        name: &PluginName,
        version: u32,
        judged: Option<Stand>,
    ) -> rusqlite::Result<Activated> {
        let Some(plugin) = plugin_key(self.connection, owner, name)? else {
            return Ok(Activated::NotFound);
        };
        if read_version(self.connection, plugin, version)?.is_none() {
            return Ok(Activated::NotFound);
        }
        if let Some(judged) = judged
            && !stand(self.connection, Some(plugin))?.has_same_followers(&judged)
        {
            return Ok(Activated::Moved);
        }
        self.activate(owner, plugin, version)?;
        let version = read_version(self.connection, plugin, version)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        Ok(Activated::Done { version, waiting: 0 })
    }

    /// Makes a version the active one from its owner's next revision on.
    fn activate(&mut self, owner: OrganizationKey, plugin: i64, version: u32) -> rusqlite::Result<()> {
        if active_version(self.connection, plugin)? == Some(version) {
            return Ok(());
        }
        let revision = if owner == HOST {
            self.next_host_revision()?
        } else {
            self.next_revision(owner)?
        };
        self.connection.execute(
            "UPDATE plugin_active SET valid_until = ?3 WHERE plugin = ?1 AND valid_until = ?2",
            params![plugin, IN_FORCE, revision],
        )?;
        self.connection.execute(
            "INSERT INTO plugin_active (plugin, valid_until, valid_from, version) VALUES (?1, ?2, ?3, ?4)",
            params![plugin, IN_FORCE, revision, version],
        )?;
        Ok(())
    }
}

impl Store {
    /// Adds a version of an organization's plugin, or finds the one with these bytes. `None` as the owner: the host.
    pub async fn add_plugin_version(
        &self,
        owner: Option<OrganizationKey>,
        new: NewVersion,
        max: PluginsMax,
        now: Time,
    ) -> Result<Uploaded, StoreError> {
        let name = new.name.clone();
        let uploaded = self
            .write(move |desk| desk.add_version(owner.unwrap_or(HOST), &new, max, now))
            .await?;
        match uploaded {
            Uploaded::Done { version, new, .. } => {
                let waiting = self.waiting_for(owner, name).await?;
                Ok(Uploaded::Done { version, new, waiting })
            }
            other => Ok(other),
        }
    }

    /// Makes a version of a plugin the active one: if `judged` is given, only while the plugin stands so. `None` as the owner: the host.
    pub async fn activate_version(
        &self,
        owner: Option<OrganizationKey>,
        name: PluginName,
        version: u32,
        judged: Option<Stand>,
    ) -> Result<Activated, StoreError> {
        let of = name.clone();
        let activated = self
            .write(move |desk| desk.activate_version(owner.unwrap_or(HOST), &of, version, judged))
            .await?;
        match activated {
            Activated::Done { version, .. } => {
                let waiting = self.waiting_for(owner, name).await?;
                Ok(Activated::Done { version, waiting })
            }
            other => Ok(other),
        }
    }

    async fn waiting_for(&self, owner: Option<OrganizationKey>, name: PluginName) -> Result<u64, StoreError> {
        self.read_list(move |connection| match plugin_of(connection, owner, &name)? {
            Some(plugin) => waiting_for(connection, plugin),
            None => Ok(0),
        })
        .await
    }
}
