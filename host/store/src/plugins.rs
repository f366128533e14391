//! Plugins and their versions: added, found and activated.

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::PluginId;
use hookmill_domain::integration::{OrganizationKey, PluginOwner, PluginRef};
use hookmill_domain::names::PluginName;
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::StoreError;
use crate::desk::Desk;
use crate::store::Store;
use crate::uses::{Stand, stand, waiting_for};

/// What the host itself is as an owner of plugins.
pub(crate) const HOST: OrganizationKey = OrganizationKey(0);

/// What `valid_until` holds for what is still in force.
pub(crate) const IN_FORCE: i64 = i64::MAX;

/// The answer to a look-up of a plugin by an integration's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginFound {
    /// It is there, and so is the version.
    Found(PluginRef),
    /// No plugin of that name.
    NoName(PluginName),
    /// The plugin has no such version.
    NoVersion(PluginName, u32),
    /// The plugin has versions, but none of them is active.
    NotActive(PluginName),
}

/// A version of a plugin.
#[derive(Debug, Clone)]
pub struct PluginVersion {
    /// The plugin's id.
    pub id: PluginId,
    /// The plugin's name.
    pub name: PluginName,
    /// Its number, from 1.
    pub version: u32,
    /// The component's digest.
    pub digest: Digest,
    /// The component's size.
    pub component_bytes: u64,
    /// The version of the contract that it exports.
    pub contract: String,
    /// JSON Schema of its configuration, if it has one; left out of lists.
    pub schema: Option<String>,
    /// When it was uploaded.
    pub created_at: Time,
    /// Whether integrations that name the plugin alone get this one.
    pub active: bool,
}

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

/// What an organization may have of plugins. The host may have any number.
#[derive(Debug, Clone, Copy)]
pub struct PluginsMax {
    /// Plugins that have a version.
    pub plugins: u32,
    /// Versions of one plugin.
    pub versions: u32,
    /// Bytes of all versions of all its plugins.
    pub component_bytes: u64,
}

/// Of what an organization would have more than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMuch {
    /// Plugins.
    Plugins,
    /// Versions of that plugin.
    Versions,
    /// Bytes of components.
    ComponentBytes,
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

/// The number of an owner of plugins, as an integration's plugin tells of it.
pub(crate) fn owner_key(organization: OrganizationKey, owner: PluginOwner) -> OrganizationKey {
    match owner {
        PluginOwner::Host => HOST,
        PluginOwner::Organization => organization,
    }
}

/// The number of a plugin, also of one whose versions are all deleted.
pub(crate) fn plugin_key(connection: &Connection, owner: OrganizationKey, name: &PluginName) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT key FROM plugin WHERE organization = ?1 AND name = ?2")?
        .query_row(params![owner.0, name.as_str()], |row| row.get(0))
        .optional()
}

/// The same, for an owner as the house's other rooms name it: `None` is the host.
pub(crate) fn plugin_of(connection: &Connection, owner: Option<OrganizationKey>, name: &PluginName) -> rusqlite::Result<Option<i64>> {
    plugin_key(connection, owner.unwrap_or(HOST), name)
}

/// Finds the plugin that an integration names: the organization's own first, else the host's.
pub(crate) fn find_plugin(
    connection: &Connection,
    organization: OrganizationKey,
    named: Option<&(PluginName, Option<u32>)>,
) -> rusqlite::Result<PluginFound> {
    let Some((name, version)) = named else {
        return Ok(PluginFound::Found(PluginRef::passthrough()));
    };
    for (owner, key) in [(PluginOwner::Organization, organization), (PluginOwner::Host, HOST)] {
        let Some(plugin) = plugin_key(connection, key, name)? else {
            continue;
        };
        // One whose versions are all deleted is no plugin, and stands before nobody's.
        if !exists(
            connection,
            "SELECT 1 FROM plugin_version WHERE plugin = ?1 AND deleted_at IS ?2",
            plugin,
            None,
        )? {
            continue;
        }
        let there = match version {
            Some(version) => exists(
                connection,
                "SELECT 1 FROM plugin_version WHERE plugin = ?1 AND version = ?2 AND deleted_at IS NULL",
                plugin,
                Some(i64::from(*version)),
            )?,
            None => exists(
                connection,
                "SELECT 1 FROM plugin_active WHERE plugin = ?1 AND valid_until = ?2",
                plugin,
                Some(IN_FORCE),
            )?,
        };
        return Ok(match (there, version) {
            (true, _) => PluginFound::Found(PluginRef {
                owner,
                name: name.clone(),
                version: *version,
            }),
            (false, Some(version)) => PluginFound::NoVersion(name.clone(), *version),
            (false, None) => PluginFound::NotActive(name.clone()),
        });
    }
    Ok(PluginFound::NoName(name.clone()))
}

fn exists(connection: &Connection, sql: &str, plugin: i64, value: Option<i64>) -> rusqlite::Result<bool> {
    connection.prepare_cached(sql)?.exists(params![plugin, value])
}

/// Versions of the plugin `?1` that are not deleted, for [`read_version_row`]; `?2` is [`IN_FORCE`].
pub(crate) fn versions(schema: &str, which: &str) -> String {
    format!(
        "SELECT p.id, p.name, v.version, v.digest, v.contract, {schema}, v.created_at, a.version IS NOT NULL, coalesce(c.bytes, 0)
         FROM plugin p JOIN plugin_version v ON v.plugin = p.key
             LEFT JOIN plugin_active a ON a.plugin = p.key AND a.valid_until = ?2 AND a.version = v.version
             LEFT JOIN component c ON c.digest = v.digest
         WHERE p.key = ?1 AND v.deleted_at IS NULL AND {which}"
    )
}

pub(crate) fn read_version_row(row: &Row<'_>) -> rusqlite::Result<PluginVersion> {
    Ok(PluginVersion {
        id: PluginId::from_bytes(row.get(0)?),
        name: crate::wire::parsed(&row.get::<_, String>(1)?)?,
        version: row.get(2)?,
        digest: Digest::from_bytes(row.get(3)?),
        contract: row.get(4)?,
        schema: row.get(5)?,
        created_at: Time::from_millis(row.get(6)?),
        active: row.get(7)?,
        component_bytes: row.get(8)?,
    })
}

pub(crate) fn read_version(connection: &Connection, plugin: i64, version: u32) -> rusqlite::Result<Option<PluginVersion>> {
    connection
        .prepare_cached(&versions("v.schema", "v.version = ?3"))?
        .query_row(params![plugin, IN_FORCE, version], read_version_row)
        .optional()
}

/// The version that a plugin means now.
pub(crate) fn meant_version(
    connection: &Connection,
    organization: OrganizationKey,
    plugin: &PluginRef,
) -> rusqlite::Result<Option<PluginVersion>> {
    let Some(key) = plugin_key(connection, owner_key(organization, plugin.owner), &plugin.name)? else {
        return Ok(None);
    };
    match plugin.version {
        Some(version) => read_version(connection, key, version),
        None => match active_version(connection, key)? {
            Some(version) => read_version(connection, key, version),
            None => Ok(None),
        },
    }
}

/// What an owner would have too much of with one more version of a plugin; those that are deleted do not count.
fn too_much(
    connection: &Connection,
    owner: OrganizationKey,
    plugin: Option<i64>,
    (digest, bytes): (Digest, u64),
    max: PluginsMax,
) -> rusqlite::Result<Option<TooMuch>> {
    let is_there = connection
        .prepare_cached("SELECT 1 FROM plugin_version WHERE digest = ?2 AND plugin = ?1 AND deleted_at IS NULL")?
        .exists(params![plugin, digest.as_bytes()])?;
    if owner == HOST || is_there {
        return Ok(None);
    }
    let versions: u32 = connection
        .prepare_cached("SELECT count(*) FROM plugin_version WHERE plugin = ?1 AND deleted_at IS NULL")?
        .query_row([plugin], |row| row.get(0))?;
    if versions == 0 {
        let plugins: u32 = connection
            .prepare_cached(
                "SELECT count(*) FROM plugin p WHERE p.organization = ?1
                     AND EXISTS (SELECT 1 FROM plugin_version v WHERE v.plugin = p.key AND v.deleted_at IS NULL)",
            )?
            .query_row([owner.0], |row| row.get(0))?;
        if plugins >= max.plugins {
            return Ok(Some(TooMuch::Plugins));
        }
    }
    if versions >= max.versions {
        return Ok(Some(TooMuch::Versions));
    }
    let has: u64 = connection
        .prepare_cached("SELECT component_bytes FROM organization WHERE key = ?1")?
        .query_row([owner.0], |row| row.get(0))?;
    let is_too_much = has.saturating_add(bytes) > max.component_bytes;
    Ok(is_too_much.then_some(TooMuch::ComponentBytes))
}

fn active_version(connection: &Connection, plugin: i64) -> rusqlite::Result<Option<u32>> {
    connection
        .prepare_cached("SELECT version FROM plugin_active WHERE plugin = ?1 AND valid_until = ?2")?
        .query_row(params![plugin, IN_FORCE], |row| row.get(0))
        .optional()
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

    fn add_component_bytes(&self, owner: OrganizationKey, bytes: u64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE organization SET component_bytes = component_bytes + ?2 WHERE key = ?1")?
            .execute(params![owner.0, bytes])?;
        Ok(())
    }

    /// A version of the organization's is deleted that had these bytes.
    pub(crate) fn subtract_component_bytes(&self, owner: OrganizationKey, digest: Digest) -> rusqlite::Result<()> {
        let bytes = self.component_bytes(digest)?.unwrap_or(0);
        self.connection
            .prepare_cached("UPDATE organization SET component_bytes = max(component_bytes - ?2, 0) WHERE key = ?1")?
            .execute(params![owner.0, bytes])?;
        Ok(())
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
    /// What an organization would have too much of, were these bytes a version of that plugin: asked before anything is stored.
    pub async fn too_much(
        &self,
        owner: Option<OrganizationKey>,
        name: PluginName,
        component: (Digest, u64),
        max: PluginsMax,
    ) -> Result<Option<TooMuch>, StoreError> {
        self.read_list(move |connection| {
            let plugin = plugin_of(connection, owner, &name)?;
            too_much(connection, owner.unwrap_or(HOST), plugin, component, max)
        })
        .await
    }

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

    /// The version of a plugin with that digest. `None` as the owner: the host.
    pub async fn plugin_with_digest(
        &self,
        owner: Option<OrganizationKey>,
        name: PluginName,
        digest: Digest,
    ) -> Result<Option<PluginVersion>, StoreError> {
        self.read(move |connection| {
            let Some(plugin) = plugin_of(connection, owner, &name)? else {
                return Ok(None);
            };
            connection
                .prepare_cached(&versions("v.schema", "v.digest = ?3"))?
                .query_row(params![plugin, IN_FORCE, digest.as_bytes()], read_version_row)
                .optional()
        })
        .await
    }

    /// Whether a plugin has, or had, a version with that digest. `None` as the owner: the host.
    pub async fn had_plugin_digest(&self, owner: Option<OrganizationKey>, name: PluginName, digest: Digest) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let plugin = plugin_of(connection, owner, &name)?;
            connection
                .prepare_cached("SELECT 1 FROM plugin_version WHERE digest = ?2 AND plugin = ?1")?
                .exists(params![plugin, digest.as_bytes()])
        })
        .await
    }

    /// Finds the plugin that an integration names.
    pub async fn find_plugin(
        &self,
        organization: OrganizationKey,
        named: Option<(PluginName, Option<u32>)>,
    ) -> Result<PluginFound, StoreError> {
        self.read(move |connection| find_plugin(connection, organization, named.as_ref()))
            .await
    }

    /// The version that a plugin means now.
    pub async fn meant_version(&self, organization: OrganizationKey, plugin: PluginRef) -> Result<Option<PluginVersion>, StoreError> {
        self.read(move |connection| meant_version(connection, organization, &plugin)).await
    }
}
