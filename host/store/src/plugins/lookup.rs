//! Plugins and their versions, found by what an integration or an owner calls them, and what a plugin means now.

use hookmill_domain::digest::Digest;
use hookmill_domain::ids::PluginId;
use hookmill_domain::integration::{OrganizationKey, PluginOwner, PluginRef};
use hookmill_domain::names::PluginName;
use hookmill_domain::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{HOST, IN_FORCE};
use crate::StoreError;
use crate::store::Store;

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

pub(super) fn active_version(connection: &Connection, plugin: i64) -> rusqlite::Result<Option<u32>> {
    connection
        .prepare_cached("SELECT version FROM plugin_active WHERE plugin = ?1 AND valid_until = ?2")?
        .query_row(params![plugin, IN_FORCE], |row| row.get(0))
        .optional()
}

impl Store {
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
