//! Plugins and their versions as they are listed and read by those who may see them.

use hookmill_domain::ids::PluginId;
use hookmill_domain::integration::{OrganizationKey, PluginOwner};
use hookmill_domain::names::PluginName;
use hookmill_domain::time::Time;
use rusqlite::{Connection, params};

use crate::StoreError;
use crate::plugins::{HOST, IN_FORCE, PluginVersion, plugin_of, read_version, read_version_row, versions};
use crate::store::Store;
use crate::wire::parsed;

/// A plugin with at least one version.
#[derive(Debug, Clone)]
pub struct PluginView {
    /// Its id.
    pub id: PluginId,
    /// Its name.
    pub name: PluginName,
    /// Whose it is, as its viewer sees it.
    pub owner: PluginOwner,
    /// The number of its active version, if one is.
    pub active: Option<u32>,
    /// The number of its newest version.
    pub newest: u32,
    /// When its first version was uploaded.
    pub created_at: Time,
}

/// Plugins of one owner that have a version, by name, at most `limit`: `which` is a condition on their name, `?2`.
fn read_plugins(
    connection: &Connection,
    owner: OrganizationKey,
    which: &str,
    name: &str,
    limit: usize,
) -> rusqlite::Result<Vec<PluginView>> {
    let mut list = connection.prepare_cached(&format!(
        "SELECT p.id, p.name, p.created_at, a.version,
             (SELECT max(v.version) FROM plugin_version v WHERE v.plugin = p.key AND v.deleted_at IS NULL) AS newest
         FROM plugin p LEFT JOIN plugin_active a ON a.plugin = p.key AND a.valid_until = ?4
         WHERE p.organization = ?1 AND {which} AND newest IS NOT NULL ORDER BY p.name LIMIT ?3"
    ))?;
    let kind = if owner == HOST {
        PluginOwner::Host
    } else {
        PluginOwner::Organization
    };
    let rows = list.query_map(params![owner.0, name, limit, IN_FORCE], |row| {
        Ok(PluginView {
            id: PluginId::from_bytes(row.get(0)?),
            name: parsed(&row.get::<_, String>(1)?)?,
            owner: kind,
            active: row.get(3)?,
            newest: row.get(4)?,
            created_at: Time::from_millis(row.get(2)?),
        })
    })?;
    rows.collect()
}

impl Store {
    /// Plugins that an organization sees, its own first and then the host's, each by name, behind `after`, at most `limit`; those of the host
    /// alone for `None`.
    pub async fn plugins(
        &self,
        viewer: Option<OrganizationKey>,
        after: Option<(PluginOwner, PluginName)>,
        limit: usize,
    ) -> Result<Vec<PluginView>, StoreError> {
        self.read_list(move |connection| {
            let (is_past_own, after) = match &after {
                Some((owner, name)) => (*owner == PluginOwner::Host, name.as_str()),
                None => (false, ""),
            };
            let mut found = match viewer {
                Some(viewer) if !is_past_own => read_plugins(connection, viewer, "p.name > ?2", after, limit)?,
                _ => Vec::new(),
            };
            let after = if is_past_own || viewer.is_none() { after } else { "" };
            found.extend(read_plugins(
                connection,
                HOST,
                "p.name > ?2",
                after,
                limit.saturating_sub(found.len()),
            )?);
            Ok(found)
        })
        .await
    }

    /// The plugin that an organization means by a name: its own, else the host's; the host's for `None`.
    pub async fn plugin(&self, viewer: Option<OrganizationKey>, name: PluginName) -> Result<Option<PluginView>, StoreError> {
        self.read_list(move |connection| {
            for owner in viewer.into_iter().chain([HOST]) {
                if let Some(found) = read_plugins(connection, owner, "p.name = ?2", name.as_str(), 1)?.pop() {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Versions of a plugin without their schemas, the newest first, below `below`, at most `limit`. `None` as the owner: the host.
    pub async fn plugin_versions(
        &self,
        owner: Option<OrganizationKey>,
        name: PluginName,
        below: u32,
        limit: usize,
    ) -> Result<Vec<PluginVersion>, StoreError> {
        self.read_list(move |connection| {
            let plugin = plugin_of(connection, owner, &name)?;
            let mut list = connection.prepare_cached(&versions("NULL", "v.version < ?3 ORDER BY v.version DESC LIMIT ?4"))?;
            list.query_map(params![plugin, IN_FORCE, below, limit], read_version_row)?.collect()
        })
        .await
    }

    /// A version of a plugin. `None` as the owner: the host.
    pub async fn plugin_version(
        &self,
        owner: Option<OrganizationKey>,
        name: PluginName,
        version: u32,
    ) -> Result<Option<PluginVersion>, StoreError> {
        self.read_list(move |connection| match plugin_of(connection, owner, &name)? {
            Some(plugin) => read_version(connection, plugin, version),
            None => Ok(None),
        })
        .await
    }
}
