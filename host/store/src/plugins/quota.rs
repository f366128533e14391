//! What an organization may have of plugins, and what it has.

use hookmill_domain::digest::Digest;
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::PluginName;
use rusqlite::{Connection, params};

use super::HOST;
use super::lookup::plugin_of;
use crate::StoreError;
use crate::desk::Desk;
use crate::store::Store;

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

/// What an owner would have too much of with one more version of a plugin; those that are deleted do not count.
pub(super) fn too_much(
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

impl Desk<'_> {
    pub(super) fn add_component_bytes(&self, owner: OrganizationKey, bytes: u64) -> rusqlite::Result<()> {
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
}
